# What a network can do beyond the paper: other joints, other samplers, fewer evaluations.


rule metrics_joints:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        train=data_of("train"),
        test=data_of("test"),
    output:
        table=f"{RESULTS}/metrics/joints/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/joints/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/joints/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/joints/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=1,
    params:
        code=code_sha256("metrics joints"),
        settings=lambda wildcards: settings.joints(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics joints --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} --test {input.test:q} --label experiment={wildcards.experiment} "
        "--output {output.table:q} 2>&1 | tee -i {log:q}"
