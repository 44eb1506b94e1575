# Pictures from measurements of them: blurred, too small, with holes or noise.


rule metrics_restoration:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        train=data_of("train"),
        test=data_of("test"),
        extractor=extractor_of,
    output:
        table=f"{RESULTS}/metrics/restoration/{{experiment}}.csv",
        pictures=f"{RESULTS}/metrics/restoration/{{experiment}}.npz",
        meta=f"{RESULTS}/metrics/restoration/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/restoration/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/restoration/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(16000),
        runtime=rising(720),
        gpu=1,
    params:
        code=code_sha256("metrics restoration"),
        settings=lambda wildcards: settings.restoration_study(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        inception=inception_weights,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics restoration --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} --test {input.test:q} --extractor {input.extractor:q} --inception {params.inception:q} "
        "--label experiment={wildcards.experiment} --pictures {output.pictures:q} --output {output.table:q} 2>&1 | tee -i {log:q}"
