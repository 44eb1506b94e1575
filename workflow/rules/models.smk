# A network that was trained by other code is kept, and told of: no hash of code is a parameter here.
rule models:
    input:
        train=data_of("train"),
        test=data_of("test"),
        initial_weights=initial_weights,
    output:
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        history=f"{RESULTS}/models/{{experiment}}/history.csv",
        held_out=f"{RESULTS}/models/{{experiment}}/held_out.csv",
        meta=f"{RESULTS}/models/{{experiment}}/model.meta.json",
    log:
        f"{RESULTS}/logs/models/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/models/{{experiment}}.tsv"
    # What takes longest begins first.
    priority: 1
    conda:
        "../../environment.yml"
    resources:
        mem_mb=training_memory,
        # As long as a job may be: one that is stopped goes on.
        runtime=2880,
        gpu=1,
    params:
        settings=lambda wildcards: VARIANTS[wildcards.experiment].experiment.model_dump_json(exclude_defaults=True),
        folder=subpath(output.weights, parent=True),
        # Not an output: Snakemake deletes the outputs of a job that is stopped, and this must outlive it.
        state=f"{RESULTS}/state/models/{{experiment}}",
        previews=f"{RESULTS}/logs/models/{{experiment}}",
        # Snakemake trains anew when params change, but not when they are functions of resources, as how a training runs is.
        run=lambda wildcards, resources: settings.run(wildcards.experiment).model_dump_json(),
        # Of resources too: what counts is the input.
        initial_weights=initial_weights_option,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} models train --settings {params.settings:q} --run-settings {params.run:q} "
        "--train {input.train:q} --test {input.test:q} --state {params.state:q} --output {params.folder:q} "
        "--previews {params.previews:q} {params.initial_weights:q} 2>&1 | tee -i {log:q}"


# What a network leaves open, measured on training images: some samplers and bounds need it.
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


# A folder that diffusers loads, complete without data, configuration or results.
rule models_export:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        record=f"{RESULTS}/models/{{experiment}}/model.meta.json",
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        train=data_of("train"),
        distance=own_distance,
        likelihood=own_likelihood,
    output:
        folder=directory(f"{RESULTS}/portable/{{experiment}}"),
        meta=f"{RESULTS}/portable/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/portable/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/portable/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(240),
        gpu=1,
    params:
        code=code_sha256("models export"),
        settings=lambda wildcards: settings.sampling(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        distance=lambda wildcards, input: ["--distance", input.distance],
        likelihood=lambda wildcards, input: [word for path in input.likelihood for word in ("--likelihood", path)],
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} models export --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} {params.distance:q} {params.likelihood:q} --name {wildcards.experiment} "
        "--output {output.folder:q} > {log:q} 2>&1"
