# The samples of an experiment at one δ: in one job, or in parts that can run side by side, on different machines. A set that is
# there stays as it was drawn: in how many parts changes none of its bytes.
rule samples:
    input:
        weights=model_of("diffusion_pytorch_model.safetensors"),
        config=model_of("config.json"),
        calibration=calibration_of,
        train=data_of("train"),
    output:
        samples=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.npy",
        starts=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/starts.npy",
        table=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.csv",
        grid=report(
            f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/grid.png",
            caption="../report/samples.rst",
            category="Samples",
            subcategory="{experiment}",
            labels={"δ/σ": "{ratio}"},
        ),
        meta=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/delta{{ratio}}/samples.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/delta{{ratio}}/samples.tsv"
    wildcard_constraints:
        experiment=sets_of_parts(lambda parts: parts == 1),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(1440),
        gpu=1,
    params:
        code=code_sha256("samples draw"),
        settings=lambda wildcards: settings.sampling(
            wildcards.experiment, run_of(wildcards).delta_ratio
        ).model_dump_json(),
        num_samples=settings.evaluation.num_samples,
        model=subpath(input.weights, parent=True),
        folder=subpath(output.samples, parent=True),
        # Not an output: Snakemake deletes the outputs of a job that is stopped, and this must outlive it.
        state=f"{RESULTS}/state/samples/{{experiment}}/delta{{ratio}}",
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} samples draw --settings {params.settings:q} --model {params.model:q} --train {input.train:q} "
        "--num-samples {params.num_samples} --state {params.state:q} --output {params.folder:q} 2>&1 | tee -i {log:q}"


rule samples_shard:
    input:
        weights=model_of("diffusion_pytorch_model.safetensors"),
        config=model_of("config.json"),
        calibration=calibration_of,
        train=data_of("train"),
    output:
        samples=temp(f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/shards/{{shard}}/samples.npy"),
        starts=temp(f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/shards/{{shard}}/starts.npy"),
        table=temp(f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/shards/{{shard}}/samples.csv"),
        meta=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/shards/{{shard}}/samples.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/delta{{ratio}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/delta{{ratio}}/{{shard}}.tsv"
    wildcard_constraints:
        experiment=sets_of_parts(lambda parts: parts > 1),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(1440),
        gpu=1,
    params:
        code=code_sha256("samples draw"),
        settings=lambda wildcards: settings.sampling(
            wildcards.experiment, run_of(wildcards).delta_ratio
        ).model_dump_json(),
        num_samples=settings.evaluation.num_samples,
        num_shards=lambda wildcards: PARTS[wildcards.experiment, wildcards.ratio],
        model=subpath(input.weights, parent=True),
        folder=subpath(output.samples, parent=True),
        # Not an output: Snakemake deletes the outputs of a job that is stopped, and this must outlive it.
        state=f"{RESULTS}/state/samples/{{experiment}}/delta{{ratio}}/{{shard}}",
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} samples draw --settings {params.settings:q} --model {params.model:q} --train {input.train:q} "
        "--num-samples {params.num_samples} --shard {wildcards.shard} --num-shards {params.num_shards} "
        "--state {params.state:q} --output {params.folder:q} 2>&1 | tee -i {log:q}"


rule samples_gather:
    input:
        parts_of_set,
    output:
        samples=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.npy",
        starts=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/starts.npy",
        table=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.csv",
        grid=report(
            f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/grid.png",
            caption="../report/samples.rst",
            category="Samples",
            subcategory="{experiment}",
            labels={"δ/σ": "{ratio}"},
        ),
        meta=f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}/samples.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/delta{{ratio}}/gather.log",
    wildcard_constraints:
        experiment=sets_of_parts(lambda parts: parts > 1),
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("samples gather"),
        shards=lambda wildcards, input: list(dict.fromkeys(str(Path(path).parent) for path in input)),
        folder=subpath(output.samples, parent=True),
    shell:
        "python -m ihdm --threads {threads} samples gather {params.shards:q} --output {params.folder:q} > {log:q} 2>&1"


rule samples_sequence:
    input:
        weights=model_of("diffusion_pytorch_model.safetensors"),
        config=model_of("config.json"),
        calibration=calibration_of,
        train=data_of("train"),
    output:
        sequence=f"{RESULTS}/samples/{{experiment}}/sequence.npz",
        meta=f"{RESULTS}/samples/{{experiment}}/sequence.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/sequence.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/sequence.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=1,
    params:
        code=code_sha256("samples sequence"),
        settings=lambda wildcards: settings.sampling(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} samples sequence --settings {params.settings:q} --model {params.model:q} --train {input.train:q} "
        "--output {output.sequence:q} > {log:q} 2>&1"


rule samples_grid:
    input:
        weights=model_of("diffusion_pytorch_model.safetensors"),
        config=model_of("config.json"),
        calibration=calibration_of,
        train=data_of("train"),
    output:
        grid=f"{RESULTS}/samples/{{experiment}}/starts_noises.npy",
        meta=f"{RESULTS}/samples/{{experiment}}/starts_noises.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/starts_noises.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/starts_noises.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=1,
    params:
        code=code_sha256("samples grid"),
        settings=lambda wildcards: settings.sampling(wildcards.experiment).model_dump_json(),
        num_starts=settings.evaluation.disentanglement.num_starts,
        num_noises=settings.evaluation.disentanglement.num_noises,
        model=subpath(input.weights, parent=True),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} samples grid --settings {params.settings:q} --model {params.model:q} --train {input.train:q} "
        "--starts {params.num_starts} --noises {params.num_noises} "
        "--output {output.grid:q} 2>&1 | tee -i {log:q}"


# All that a look into how a network makes images needs of the network itself.
rule samples_probe:
    input:
        weights=model_of("diffusion_pytorch_model.safetensors"),
        config=model_of("config.json"),
        calibration=calibration_of,
        train=data_of("train"),
    output:
        interpolations=f"{RESULTS}/samples/{{experiment}}/probes/interpolations.npy",
        tree=f"{RESULTS}/samples/{{experiment}}/probes/tree.npz",
        trajectories=f"{RESULTS}/samples/{{experiment}}/probes/trajectories.npz",
        sums=f"{RESULTS}/samples/{{experiment}}/probes/sums.npz",
        gradients=f"{RESULTS}/samples/{{experiment}}/probes/gradients.npz",
        meta=f"{RESULTS}/samples/{{experiment}}/probes/probes.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/probes.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/probes.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(16000),
        runtime=rising(1440),
        gpu=1,
    params:
        code=code_sha256("samples probe"),
        settings=lambda wildcards: settings.probe(wildcards.experiment).model_dump_json(),
        model=subpath(input.weights, parent=True),
        folder=subpath(output.tree, parent=True),
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} samples probe --settings {params.settings:q} --model {params.model:q} --train {input.train:q} "
        "--output {params.folder:q} 2>&1 | tee -i {log:q}"
