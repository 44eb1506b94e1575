# What images say: features and the distances measured on them, memorisation, spectra, disentanglement.


rule metrics_minimum_distance:
    input:
        tables=lambda wildcards: per_delta(
            f"{RESULTS}/metrics/distance/{{experiment}}/delta{{ratio}}.csv", wildcards.experiment
        ),
    output:
        table=f"{RESULTS}/metrics/minimum/{{experiment}}/distance.csv",
        meta=f"{RESULTS}/metrics/minimum/{{experiment}}/distance.meta.json",
    log:
        f"{RESULTS}/logs/metrics/minimum/{{experiment}}/distance.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics distance-minimum"),
    shell:
        "python -m ihdm --threads {threads} metrics distance-minimum {input.tables:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"
