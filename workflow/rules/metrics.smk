# One rule per job of ihdm.measures, built from its declaration, with a hash of its code.
for job in measure_jobs().values():

    rule:
        name:
            f"metrics_{job.name}"
        input:
            unpack(measure_inputs(job)),
        output:
            **measure_outputs(job),
        log:
            f"{RESULTS}/logs/{measure_place(job)}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{measure_place(job)}.tsv"
        localrule: job.first.is_local
        conda:
            "../../environment.yml"
        resources:
            **measure_resources(job),
        params:
            code=code_sha256(f"metrics {job.name}"),
            name=job.name.replace("_", "-"),
            settings=measure_settings(job),
            inputs=measure_options(job, "--input"),
            outputs=measure_options(job, "--output"),
            # A function of resources, so that moving the weights triggers no rerun.
            inception=(
                (lambda wildcards, resources: ["--inception", settings.inception_weights])
                if job.uses_inception
                else []
            ),
            gpus=gpus_option if job.first.gpu != "no" else [],
        shell:
            "python -m ihdm --threads {threads} {params.gpus} metrics {params.name} --settings {params.settings:q} {params.inputs:q} "
            "{params.inception:q} {params.outputs:q} 2>&1 | tee -i {log:q}"


# Merged tables over all experiments.
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
