# Tables over all experiments.


# One tidy table of each kind, over all experiments.
rule metrics_table:
    input:
        parts=lambda wildcards: TABLES[wildcards.table],
    output:
        table=report(
            f"{RESULTS}/metrics/{{table}}.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        meta=f"{RESULTS}/metrics/{{table}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/{{table}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics table"),
    shell:
        "python -m ihdm --threads {threads} metrics table {input.parts:q} --output {output.table:q} > {log:q} 2>&1"
