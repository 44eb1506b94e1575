# Tables as a paper prints them.
rule report_tables:
    input:
        tables=[f"{RESULTS}/metrics/{table}.csv" for table in PRINTED_FROM],
    output:
        files=[f"{RESULTS}/tables/{table}.{ending}" for table in PRINTED for ending in ("csv", "md", "tex")],
        meta=f"{RESULTS}/tables/tables.meta.json",
    log:
        f"{RESULTS}/logs/report/tables.log",
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("report tables"),
        settings=lambda wildcards: settings.model_dump_json(),
        joint=[word for table in PRINTED_FROM for word in ("--joint", f"{RESULTS}/metrics/{table}.csv")],
        folder=f"{RESULTS}/tables",
    shell:
        "python -m ihdm --threads {threads} report tables --settings {params.settings:q} {params.joint:q} "
        "--output {params.folder:q} > {log:q} 2>&1"


# The claims of the paper, each with a verdict.
rule claims:
    input:
        tables=[f"{RESULTS}/metrics/{table}.csv" for table in CLAIMED_FROM],
    output:
        table=report(
            f"{RESULTS}/report/claims.csv",
            caption="../report/claims.rst",
            category="Summary",
            labels={"page": "claims and verdicts"},
        ),
        text=f"{RESULTS}/report/claims.md",
        json=f"{RESULTS}/report/claims.json",
        meta=f"{RESULTS}/report/claims.meta.json",
    log:
        f"{RESULTS}/logs/report/claims.log",
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("claims check"),
        settings=settings.model_dump_json(),
        joint=[word for table in CLAIMED_FROM for word in ("--joint", f"{RESULTS}/metrics/{table}.csv")],
        folder=f"{RESULTS}/report",
    shell:
        "python -m ihdm --threads {threads} claims check --settings {params.settings:q} {params.joint:q} "
        "--output {params.folder:q} > {log:q} 2>&1"


# The summary page; `snakemake --report` then gathers it with all figures and tables.
rule report:
    input:
        tables=[f"{RESULTS}/metrics/{table}.csv" for table in TABLES],
        kept=KEPT,
    output:
        page=report(
            f"{RESULTS}/report/summary.html",
            caption="../report/summary.rst",
            category="Summary",
            labels={"page": "all results in brief"},
        ),
        meta=f"{RESULTS}/report/summary.meta.json",
    log:
        f"{RESULTS}/logs/report/summary.log",
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("report write"),
        # The page tells which results that are kept were made by other code.
        kept_code=[code_sha256(command) for command in ("data prepare", "models train")],
        kept=[word for meta in KEPT for word in ("--kept", meta)],
        notes=[
            word
            for name, notes in notes_of(settings).items()
            for note in notes
            for word in ("--note", f"{name}: {note}")
        ],
    shell:
        "python -m ihdm --threads {threads} report write {input.tables:q} {params.kept:q} {params.notes:q} --output {output.page:q} > {log:q} 2>&1"
