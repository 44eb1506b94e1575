# The summary page; `snakemake --report` then gathers it with all figures and tables.
rule report:
    input:
        tables=[f"{RESULTS}/metrics/{table}.csv" for table in SUMMARISED],
        code="ihdm/report/summary.py",
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
    shell:
        "python -m ihdm --threads {threads} report write {input.tables:q} --output {output.page:q} > {log:q} 2>&1"
