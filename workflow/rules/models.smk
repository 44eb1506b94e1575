# Networks trained by other code are kept and reported: the params contain no hash of the code.
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
    wildcard_constraints:
        experiment=names_of(name for name in TRAINED if name not in WHITENED),
    # The longest jobs start first.
    priority: 1
    conda:
        "../../environment.yml"
    resources:
        mem_mb=training_memory,
        # The longest allowed job; interrupted training resumes.
        runtime=2880,
        gpu=1,
    params:
        settings=lambda wildcards: VARIANTS[wildcards.experiment].experiment.model_dump_json(exclude_defaults=True),
        folder=subpath(output.weights, parent=True),
        # Not an output, because Snakemake deletes the outputs of an interrupted job.
        state=f"{RESULTS}/state/models/{{experiment}}",
        previews=f"{RESULTS}/logs/models/{{experiment}}",
        # A function of resources, so that a change of the run settings triggers no retraining.
        run=lambda wildcards, resources: settings.run(wildcards.experiment).model_dump_json(),
        # A function of resources too; changes of the input trigger retraining.
        initial_weights=lambda wildcards, input, resources: (
            ["--initial-weights", str(Path(input.initial_weights[0]).parent)] if input.initial_weights else []
        ),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} models train --settings {params.settings:q} --run-settings {params.run:q} "
        "--train {input.train:q} --test {input.test:q} --state {params.state:q} --output {params.folder:q} "
        "--previews {params.previews:q} {params.initial_weights:q} 2>&1 | tee -i {log:q}"


use rule models as models_whitened with:
    output:
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        statistics=f"{RESULTS}/models/{{experiment}}/statistics.safetensors",
        history=f"{RESULTS}/models/{{experiment}}/history.csv",
        held_out=f"{RESULTS}/models/{{experiment}}/held_out.csv",
        meta=f"{RESULTS}/models/{{experiment}}/model.meta.json",
    log:
        f"{RESULTS}/logs/models/{{experiment}}.log",
    wildcard_constraints:
        experiment=names_of(WHITENED),
    resources:
        mem_mb=as_models("mem_mb"),
        runtime=as_models("runtime"),
        gpu=as_models("gpu"),


# The calibration of a network on training images, for some samplers and bounds.
rule models_calibration:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        statistics=statistics_of,
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


# A self-contained exported pipeline, which diffusers loads.
rule models_export:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        statistics=statistics_of,
        record=f"{RESULTS}/models/{{experiment}}/model.meta.json",
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        train=data_of("train"),
        distance=lambda wildcards: run_of(wildcards).fill(
            f"{RESULTS}/metrics/distance/{{experiment}}/delta{{default_ratio}}.csv"
        ),
        likelihood=lambda wildcards: (
            [f"{RESULTS}/metrics/likelihood/{wildcards.experiment}.csv"]
            if VARIANTS[wildcards.experiment].has_likelihood
            else []
        ),
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
