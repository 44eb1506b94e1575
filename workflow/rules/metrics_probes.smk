# What a look into how networks make images says, and what can be computed of it without a network.


rule metrics_probes:
    input:
        interpolations=f"{RESULTS}/samples/{{experiment}}/probes/interpolations.npy",
        tree=f"{RESULTS}/samples/{{experiment}}/probes/tree.npz",
        trajectories=f"{RESULTS}/samples/{{experiment}}/probes/trajectories.npz",
        sums=f"{RESULTS}/samples/{{experiment}}/probes/sums.npz",
        gradients=f"{RESULTS}/samples/{{experiment}}/probes/gradients.npz",
        extractor=extractor_of,
    output:
        interpolation=f"{RESULTS}/metrics/interpolation/{{experiment}}.csv",
        hierarchy=f"{RESULTS}/metrics/hierarchy/{{experiment}}.csv",
        generation=f"{RESULTS}/metrics/generation/{{experiment}}.csv",
        cumulative_sums=f"{RESULTS}/metrics/cumulative_sums/{{experiment}}.csv",
        input_gradients=f"{RESULTS}/metrics/input_gradients/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/interpolation/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/probes/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/probes/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(16000),
        runtime=rising(720),
        gpu=needed_gpus,
    params:
        code=code_sha256("metrics probes"),
        probes=subpath(input.tree, parent=True),
        inception=inception_weights,
        resamples=settings.evaluation.num_resamples,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics probes --probes {params.probes:q} --extractor {input.extractor:q} "
        "--inception {params.inception:q} --resamples {params.resamples} --label experiment={wildcards.experiment} "
        "--interpolation {output.interpolation:q} --hierarchy {output.hierarchy:q} --generation {output.generation:q} "
        "--cumulative-sums {output.cumulative_sums:q} --input-gradients {output.input_gradients:q} 2>&1 | tee -i {log:q}"


rule metrics_asymptotics:
    input:
        weights=f"{RESULTS}/models/{{experiment}}/diffusion_pytorch_model.safetensors",
        config=f"{RESULTS}/models/{{experiment}}/config.json",
        calibration=f"{RESULTS}/models/{{experiment}}/calibration.npz",
        test=data_of("test"),
    output:
        table=f"{RESULTS}/metrics/asymptotics/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/asymptotics/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/asymptotics/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/asymptotics/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=1,
    params:
        code=code_sha256("metrics asymptotics"),
        settings=lambda wildcards: error_settings(Run(settings, wildcards.experiment)).model_dump_json(),
        model=subpath(input.weights, parent=True),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics asymptotics --settings {params.settings:q} --model {params.model:q} "
        "--test {input.test:q} --label experiment={wildcards.experiment} --output {output.table:q} 2>&1 | tee -i {log:q}"


# A toy that needs no images: how noise lets paths merge, and branch on the way back.
rule metrics_paths:
    output:
        table=f"{RESULTS}/metrics/paths/toy.csv",
        arrays=f"{RESULTS}/metrics/paths/toy.npz",
        meta=f"{RESULTS}/metrics/paths/toy.meta.json",
    log:
        f"{RESULTS}/logs/metrics/paths/toy.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics paths"),
    shell:
        "python -m ihdm --threads {threads} metrics paths --arrays {output.arrays:q} --output {output.table:q} > {log:q} 2>&1"
