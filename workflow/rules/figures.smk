# One rule for each figure that the configuration names, so that each has its own code as an input and its own caption.
for figure in settings.figures:

    rule:
        name:
            f"figure_{figure}"
        input:
            files=[path for _, path in figure_inputs(figure)],
            code=f"ihdm/figures/{figure}.py",
            style="ihdm/figures/style.py",
        output:
            pdf=f"{RESULTS}/figures/{figure}.pdf",
            png=report(
                f"{RESULTS}/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure.replace("_", " ")},
            ),
            meta=f"{RESULTS}/figures/{figure}.meta.json",
        log:
            f"{RESULTS}/logs/figures/{figure}.log",
        conda:
            "../../environment.yml"
        params:
            figure=figure,
            inputs=[f"--input {kind}={path}" for kind, path in figure_inputs(figure)],
        shell:
            "python -m ihdm figures draw {params.figure} {params.inputs} --output {output.png:q} > {log:q} 2>&1"
