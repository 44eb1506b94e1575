# Tables over all experiments.


# A table that is computed from others has a rule of its own.
ruleorder: metrics_departures > metrics_table


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


# Everything that was measured of samples and bound, with what was swept: the table to analyse.
rule metrics_sweep:
    input:
        tables=[
            f"{RESULTS}/metrics/{table}.csv"
            for table in ("distance", "memorisation", "spectrum", "likelihood")
            if table in TABLES
        ],
        train=list(train_arrays().values()),
    output:
        table=report(
            f"{RESULTS}/metrics/sweep.csv",
            caption="../report/sweep.rst",
            category="Tables",
            labels={"table": "sweep"},
        ),
        parquet=f"{RESULTS}/metrics/sweep.parquet",
        meta=f"{RESULTS}/metrics/sweep.meta.json",
    log:
        f"{RESULTS}/logs/metrics/sweep.log",
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics sweep"),
        settings=settings.swept.model_dump_json(),
        train=[word for name, path in train_arrays().items() for word in ("--train", f"{name}={path}")],
    shell:
        "python -m ihdm --threads {threads} metrics sweep --settings {params.settings:q} {input.tables:q} {params.train:q} "
        "--output {output.table:q} > {log:q} 2>&1"


rule metrics_departures:
    input:
        table=f"{RESULTS}/metrics/sweep.csv",
    output:
        table=report(
            f"{RESULTS}/metrics/departures.csv",
            caption="../report/departures.rst",
            category="Tables",
            labels={"table": "departures"},
        ),
        meta=f"{RESULTS}/metrics/departures.meta.json",
    log:
        f"{RESULTS}/logs/metrics/departures.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics departures"),
    shell:
        "python -m ihdm --threads {threads} metrics departures {input.table:q} --output {output.table:q} > {log:q} 2>&1"
