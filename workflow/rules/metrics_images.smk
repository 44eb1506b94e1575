# What images say: features and the distances measured on them, memorisation, spectra, disentanglement.


rule metrics_minimum_distance:
    input:
        tables=lambda wildcards: per_delta(
            f"{RESULTS}/metrics/distance/{{experiment}}/delta{{ratio}}.csv", wildcards.experiment
        ),
    output:
        table=f"{RESULTS}/metrics/minimum/{{experiment}}/distance.csv",
        meta=f"{RESULTS}/metrics/minimum/{{experiment}}/distance.meta.json",
    log:
        f"{RESULTS}/logs/metrics/minimum/{{experiment}}/distance.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics distance-minimum"),
    shell:
        "python -m ihdm --threads {threads} metrics distance-minimum {input.tables:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"


# What turns images into features: fitted, or its weights checked, once for each data set.
rule metrics_extractor:
    input:
        train=f"{RESULTS}/data/{{dataset}}/train.npy",
    output:
        extractor=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/extractor.npz",
        meta=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/extractor.meta.json",
    log:
        f"{RESULTS}/logs/metrics/features/{{extractor}}/{{dataset}}/extractor.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/features/{{extractor}}/{{dataset}}/extractor.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        gpu=needed_gpus,
    params:
        code=code_sha256("metrics extractor"),
        inception=inception_weights,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics extractor {wildcards.extractor} --train {input.train:q} "
        "--inception {params.inception:q} --output {output.extractor:q} 2>&1 | tee -i {log:q}"


# Features, once for each set of images and extractor.
rule metrics_features_real:
    input:
        extractor=extractor_of,
        images=f"{RESULTS}/data/{{dataset}}/{{split}}.npy",
    output:
        features=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/{{split}}.npz",
        meta=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/{{split}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/features/{{extractor}}/{{dataset}}/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/features/{{extractor}}/{{dataset}}/{{split}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=needed_gpus,
    params:
        code=code_sha256("metrics features"),
        inception=inception_weights,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} metrics features --extractor {input.extractor:q} --images {input.images:q} "
        "--inception {params.inception:q} --output {output.features:q} 2>&1 | tee -i {log:q}"


# What distances need of a reference, whatever is compared with it.
rule metrics_moments:
    input:
        features=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/train.npz",
    output:
        moments=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/moments.npz",
        meta=f"{RESULTS}/metrics/features/{{extractor}}/{{dataset}}/moments.meta.json",
    log:
        f"{RESULTS}/logs/metrics/features/{{extractor}}/{{dataset}}/moments.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/features/{{extractor}}/{{dataset}}/moments.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(16000),
        runtime=rising(720),
    params:
        code=code_sha256("metrics moments"),
    shell:
        "python -m ihdm --threads {threads} metrics moments --features {input.features:q} --output {output.moments:q} > {log:q} 2>&1"


# At one δ an experiment: repeating training images is a matter of the network.
rule metrics_memorisation:
    input:
        samples=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.npy",
        train=data_of("train"),
        test=data_of("test"),
        sample_features=f"{RESULTS}/metrics/features/{{experiment}}/delta{{ratio}}.npz",
        train_features=real_features("train"),
        test_features=real_features("test"),
    output:
        table=f"{RESULTS}/metrics/memorisation/{{experiment}}/delta{{ratio}}.csv",
        meta=f"{RESULTS}/metrics/memorisation/{{experiment}}/delta{{ratio}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/memorisation/{{experiment}}/delta{{ratio}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/memorisation/{{experiment}}/delta{{ratio}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
    params:
        code=code_sha256("metrics memorisation"),
        settings=lambda wildcards: settings.memorisation(wildcards.experiment).model_dump_json(),
        dataset=lambda wildcards: VARIANTS[wildcards.experiment].dataset,
    shell:
        "python -m ihdm --threads {threads} metrics memorisation --settings {params.settings:q} "
        "--images samples={input.samples:q} --images test={input.test:q} --images train={input.train:q} "
        "--features samples={input.sample_features:q} --features test={input.test_features:q} --features train={input.train_features:q} "
        "--label dataset={params.dataset} --label reference=training --label experiment={wildcards.experiment} "
        "--label delta_ratio={wildcards.ratio} --output {output.table:q} 2>&1 | tee -i {log:q}"


# What spectra are compared with.
rule metrics_mean_power:
    input:
        train=f"{RESULTS}/data/{{dataset}}/train.npy",
    output:
        power=f"{RESULTS}/metrics/mean_power/{{dataset}}.npz",
        meta=f"{RESULTS}/metrics/mean_power/{{dataset}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/mean_power/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/mean_power/{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics mean-power"),
    shell:
        "python -m ihdm --threads {threads} metrics mean-power --train {input.train:q} --output {output.power:q} > {log:q} 2>&1"


rule metrics_disentanglement:
    input:
        grid=f"{RESULTS}/samples/{{experiment}}/starts_noises.npy",
    output:
        table=f"{RESULTS}/metrics/disentanglement/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/disentanglement/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/disentanglement/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/disentanglement/{{experiment}}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics disentanglement"),
    shell:
        "python -m ihdm --threads {threads} metrics disentanglement --grid {input.grid:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"


rule metrics_psd:
    input:
        train=data_of("train"),
    output:
        table=f"{RESULTS}/metrics/psd/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/psd/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/psd/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/psd/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics psd"),
        settings=lambda wildcards: VARIANTS[wildcards.experiment].experiment.process.model_dump_json(),
    shell:
        "python -m ihdm --threads {threads} metrics psd --settings {params.settings:q} --train {input.train:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"


# What heat and noise do to a data set's images.
rule metrics_forward:
    input:
        train=f"{RESULTS}/data/{{dataset}}/train.npy",
    output:
        table=f"{RESULTS}/metrics/forward/{{dataset}}.csv",
        meta=f"{RESULTS}/metrics/forward/{{dataset}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/forward/{{dataset}}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics forward"),
        resamples=settings.evaluation.num_resamples,
    shell:
        "python -m ihdm --threads {threads} metrics forward --resamples {params.resamples} --train {input.train:q} "
        "--label dataset={wildcards.dataset} --output {output.table:q} > {log:q} 2>&1"
