# A set of samples: one experiment at one δ.
SET = f"{RESULTS}/samples/{{experiment}}/delta{{ratio}}"
SET_FILES = {
    "samples": f"{SET}/samples.npy",
    "starts": f"{SET}/starts.npy",
    "table": f"{SET}/samples.csv",
    "grid": report(
        f"{SET}/grid.png",
        caption="../report/samples.rst",
        category="Samples",
        subcategory="{experiment}",
        labels={"δ/σ": "{ratio}"},
    ),
    "meta": f"{SET}/samples.meta.json",
}


# A set is drawn in one job, or in shards that can run in parallel on several machines. The number of shards changes no byte,
# so existing sets are kept when it changes.
rule samples:
    input:
        weights=model_of("diffusion_pytorch_model.safetensors"),
        config=model_of("config.json"),
        statistics=statistics_of,
        calibration=calibration_of,
        train=data_of("train"),
    output:
        **SET_FILES,
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
        action="draw",
        code=code_sha256("samples draw"),
        settings=lambda wildcards: settings.sampling(
            wildcards.experiment, run_of(wildcards).delta_ratio
        ).model_dump_json(),
        # The state is not an output, because Snakemake deletes the outputs of an interrupted job.
        options=lambda wildcards: [
            *("--num-samples", str(settings.evaluation.num_samples)),
            *("--state", f"{RESULTS}/state/samples/{wildcards.experiment}/delta{wildcards.ratio}"),
        ],
        model=subpath(input.weights, parent=True),
        to=SET,
        gpus=gpus_option,
    shell:
        "python -m ihdm --threads {threads} {params.gpus} samples {params.action} --settings {params.settings:q} --model {params.model:q} "
        "--train {input.train:q} {params.options:q} --output {params.to:q} 2>&1 | tee -i {log:q}"


use rule samples as samples_shard with:
    output:
        samples=temp(f"{SET}/shards/{{shard}}/samples.npy"),
        starts=temp(f"{SET}/shards/{{shard}}/starts.npy"),
        table=temp(f"{SET}/shards/{{shard}}/samples.csv"),
        meta=f"{SET}/shards/{{shard}}/samples.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/delta{{ratio}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/delta{{ratio}}/{{shard}}.tsv"
    wildcard_constraints:
        experiment=sets_of_parts(lambda parts: parts > 1),
    params:
        options=lambda wildcards: [
            *("--num-samples", str(settings.evaluation.num_samples)),
            *("--shard", wildcards.shard, "--num-shards", str(PARTS[wildcards.experiment, wildcards.ratio])),
            *("--state", f"{RESULTS}/state/samples/{wildcards.experiment}/delta{wildcards.ratio}/{wildcards.shard}"),
        ],
        to=f"{SET}/shards/{{shard}}",


rule samples_gather:
    input:
        parts_of_set,
    output:
        **SET_FILES,
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


use rule samples as samples_sequence with:
    output:
        sequence=f"{RESULTS}/samples/{{experiment}}/sequence.npz",
        meta=f"{RESULTS}/samples/{{experiment}}/sequence.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/sequence.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/sequence.tsv"
    wildcard_constraints:
        experiment="|".join(VARIANTS),
    resources:
        mem_mb=rising(8000),
        runtime=rising(720),
        gpu=1,
    params:
        action="sequence",
        code=code_sha256("samples sequence"),
        settings=lambda wildcards: settings.sampling(wildcards.experiment).model_dump_json(),
        options=[],
        to=f"{RESULTS}/samples/{{experiment}}/sequence.npz",


use rule samples_sequence as samples_grid with:
    output:
        grid=f"{RESULTS}/samples/{{experiment}}/starts_noises.npy",
        meta=f"{RESULTS}/samples/{{experiment}}/starts_noises.meta.json",
    log:
        f"{RESULTS}/logs/samples/{{experiment}}/starts_noises.log",
    benchmark:
        f"{RESULTS}/benchmarks/samples/{{experiment}}/starts_noises.tsv"
    params:
        action="grid",
        code=code_sha256("samples grid"),
        options=[
            *("--starts", str(settings.evaluation.disentanglement.num_starts)),
            *("--noises", str(settings.evaluation.disentanglement.num_noises)),
        ],
        to=f"{RESULTS}/samples/{{experiment}}/starts_noises.npy",


# All sampling diagnostics that need the network.
use rule samples_sequence as samples_diagnose with:
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
    resources:
        mem_mb=rising(16000),
        runtime=rising(1440),
        gpu=1,
    params:
        action="diagnose",
        code=code_sha256("samples diagnose"),
        settings=lambda wildcards: settings.sampling_diagnostics(wildcards.experiment).model_dump_json(),
        to=f"{RESULTS}/samples/{{experiment}}/probes",
