rule models:
    input:
        data=data_of("train"),
    output:
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        history=f"{RESULTS}/models/{{experiment}}/history.csv",
        meta=f"{RESULTS}/models/{{experiment}}/model.meta.json",
    log:
        f"{RESULTS}/logs/models/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/models/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=2880,
        gpu=1,
    params:
        settings=lambda wildcards: EXPERIMENTS[wildcards.experiment].model_dump_json(),
        folder=subpath(output.weights, parent=True),
        # Not an output: Snakemake deletes the outputs of a job that is stopped, and this must outlive it.
        state=f"{RESULTS}/state/{{experiment}}",
    shell:
        "python -m ihdm --threads {threads} models train --settings {params.settings:q} --data {input.data:q} "
        "--state {params.state:q} --output {params.folder:q} 2>&1 | tee -i {log:q}"
