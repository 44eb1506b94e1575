# Printed tables.
rule report_tables:
    input:
        tables=[f"{RESULTS}/metrics/{table}.csv" for table in PRINTED_FROM],
    output:
        files=[f"{RESULTS}/tables/{table}.{ending}" for table in PRINTED for ending in ("csv", "md", "tex")],
        meta=f"{RESULTS}/tables/tables.meta.json",
    log:
        f"{RESULTS}/logs/report/tables.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        command="report tables",
        code=code_sha256("report tables"),
        settings=lambda wildcards: settings.model_dump_json(),
        merged=lambda wildcards, input: [word for path in input.tables for word in ("--merged", path)],
        folder=subpath(output.meta, parent=True),
    shell:
        "python -m ihdm --threads {threads} {params.command} --settings {params.settings:q} {params.merged:q} "
        "--output {params.folder:q} > {log:q} 2>&1"


# The claims of the paper, each with a verdict.
use rule report_tables as claims with:
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
    params:
        command="claims check",
        code=code_sha256("claims check"),


# The page of all results; `snakemake --report` archives it with all figures and tables.
rule report:
    input:
        tables=[f"{RESULTS}/metrics/{table}.csv" for table in TABLES],
        sweep=f"{RESULTS}/metrics/sweep.csv",
        figures=[f"{RESULTS}/figures/{figure}.png" for figure in settings.figures],
        animations=[f"{RESULTS}/figures/{figure}.webp" for figure in settings.figures if is_animated(figure)],
        trajectories=[f"{RESULTS}/samples/{name}/probes/trajectories.npz" for name in settings.diagnostics],
        samples=[
            f"{RESULTS}/samples/{name}/delta{ratio}/samples.npy" for name, ratio in PARTS if VARIANTS[name].has_curve
        ],
        claims=f"{RESULTS}/report/claims.json",
        kept=list(KEPT),
    output:
        page=report(
            f"{RESULTS}/report/index.html",
            caption="../report/page.rst",
            category="Page",
            labels={"page": "all results"},
        ),
        meta=f"{RESULTS}/report/index.meta.json",
    log:
        f"{RESULTS}/logs/report/page.log",
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("report page"),
        assets=[
            assets_sha256(),
            *(Path(CAPTIONS, f"{figure}.rst").read_text(encoding="utf-8") for figure in settings.figures),
        ],
        # The page lists kept results that were made by other code.
        kept_code=[code_sha256(command) for command in ("data prepare", "models train")],
        kept=[word for meta in KEPT for word in ("--kept", meta)],
        settings=lambda wildcards: settings.model_dump_json(),
        results=subpath(output.page, ancestor=2),
        # A function of resources, so that moving the captions triggers no rerun.
        captions=lambda wildcards, resources: CAPTIONS,
    shell:
        "python -m ihdm --threads {threads} report page --settings {params.settings:q} --results {params.results:q} "
        "--claims {input.claims:q} --captions {params.captions:q} {params.kept:q} --output {output.page:q} > {log:q} 2>&1"
