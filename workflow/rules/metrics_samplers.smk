# What a network can do beyond the paper: other joints, other samplers, fewer evaluations.


rule models_calibration:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        train=data_of("train"),
    output:
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        meta=f"{RESULTS}/models/{{experiment}}/calibration.meta.json",
    log:
        f"{RESULTS}/logs/models/{{experiment}}/calibration.log",
    benchmark:
        f"{RESULTS}/benchmarks/models/{{experiment}}/calibration.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=1,
    params:
        code=code_sha256("models calibrate"),
        settings=lambda wildcards: settings.calibration(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} models calibrate --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} 2>&1 | tee -i {log:q}"


rule metrics_evaluations:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        train=data_of("train"),
        extractor=extractor_of,
        reference=reference_file("train"),
        moments=reference_file("moments"),
        power=mean_power_of,
    output:
        table=f"{RESULTS}/metrics/evaluations/{{experiment}}.csv",
        sheets=f"{RESULTS}/metrics/evaluations/{{experiment}}.npz",
        meta=f"{RESULTS}/metrics/evaluations/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/evaluations/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/evaluations/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(16000),
        runtime=rising(1440),
        gpu=1,
    params:
        code=code_sha256("metrics evaluations"),
        settings=lambda wildcards: settings.study(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        dataset=lambda wildcards: VARIANTS[wildcards.experiment].dataset,
        inception=inception_weights,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics evaluations --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} --extractor {input.extractor:q} --inception {params.inception:q} --reference {input.reference:q} "
        "--moments {input.moments:q} --power {input.power:q} --label experiment={wildcards.experiment} "
        "--label dataset={params.dataset} --sheets {output.sheets:q} --output {output.table:q} 2>&1 | tee -i {log:q}"


# Samples of the networks that a training kept on its way.
rule metrics_milestones:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        train=data_of("train"),
        extractor=extractor_of,
        reference=reference_file("train"),
        moments=reference_file("moments"),
        power=mean_power_of,
    output:
        table=f"{RESULTS}/metrics/milestones/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/milestones/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/milestones/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/milestones/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(16000),
        runtime=rising(1440),
        gpu=1,
    params:
        code=code_sha256("metrics milestones"),
        settings=lambda wildcards: settings.milestones(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        dataset=lambda wildcards: VARIANTS[wildcards.experiment].dataset,
        inception=inception_weights,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics milestones --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} --extractor {input.extractor:q} --inception {params.inception:q} --reference {input.reference:q} "
        "--moments {input.moments:q} --power {input.power:q} --label experiment={wildcards.experiment} "
        "--label dataset={params.dataset} --output {output.table:q} 2>&1 | tee -i {log:q}"
