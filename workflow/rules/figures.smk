# One rule per configured figure, because each has separate code and a separate caption.
for figure in settings.figures:
    files = {name: f"{RESULTS}/{path}" for name, path in figure_inputs(figure, settings).items()}

    rule:
        name:
            f"figure_{figure}"
        input:
            files=list(files.values()),
        output:
            pdf=f"{RESULTS}/figures/{figure}.pdf",
            png=report(
                f"{RESULTS}/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure.replace("_", " ")},
            ),
            animation=[f"{RESULTS}/figures/{figure}.webp"] if is_animated(figure) else [],
            meta=f"{RESULTS}/figures/{figure}.meta.json",
        log:
            f"{RESULTS}/logs/figures/{figure}.log",
        benchmark:
            f"{RESULTS}/benchmarks/figures/{figure}.tsv"
        # Figures of tables take seconds, less than starting a cluster job.
        localrule: all(path.endswith((".csv", ".npz")) for path in files.values())
        conda:
            "../../environment.yml"
        params:
            code=code_sha256(f"figures draw {figure}"),
            figure=figure,
            inputs=[word for name, path in files.items() for word in ("--input", f"{name}={path}")],
        shell:
            "python -m ihdm --threads {threads} figures draw {params.figure} {params.inputs:q} --output {output.png:q} > {log:q} 2>&1"
