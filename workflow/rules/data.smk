# Arrays made by other code are kept and reported: the params contain no hash of the code.
rule data:
    output:
        train=f"{RESULTS}/data/{{dataset}}/train.npy",
        train_description=f"{RESULTS}/data/{{dataset}}/train.json",
        test=f"{RESULTS}/data/{{dataset}}/test.npy",
        test_description=f"{RESULTS}/data/{{dataset}}/test.json",
        meta=f"{RESULTS}/data/{{dataset}}/data.meta.json",
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/data/{{dataset}}.tsv"
    priority: 2
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(4000),
        runtime=rising(1440),
    params:
        settings=lambda wildcards: DATASETS[wildcards.dataset].model_dump_json(exclude_defaults=True),
        folder=subpath(output.train, parent=True),
        # Not an output, because Snakemake deletes the outputs of an interrupted job.
        state=f"{RESULTS}/state/data/{{dataset}}",
        # Snakemake ignores changes of parameters that depend on resources, so moved raw files trigger no rerun.
        root=lambda wildcards, resources: settings.data.root,
    shell:
        "python -m ihdm data prepare --settings {params.settings:q} --output {params.folder:q} --state {params.state:q} "
        "--root {params.root:q} --workers {threads} 2>&1 | tee -i {log:q}"


# The classes of the images, for features of a classifier.
rule labels:
    output:
        labels=f"{RESULTS}/data/{{dataset}}/labels.npz",
        meta=f"{RESULTS}/data/{{dataset}}/labels.meta.json",
    log:
        f"{RESULTS}/logs/labels/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/labels/{{dataset}}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("data labels"),
        settings=lambda wildcards: DATASETS[wildcards.dataset].model_dump_json(exclude_defaults=True),
        root=lambda wildcards, resources: settings.data.root,
    shell:
        "python -m ihdm data labels --settings {params.settings:q} --output {output.labels:q} --root {params.root:q} "
        "2>&1 | tee -i {log:q}"


# Only the raw files, e.g. on the login node of a cluster whose jobs have no internet access.
rule downloads:
    log:
        f"{RESULTS}/logs/data/downloads.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        settings=settings.model_dump_json(),
    shell:
        "python -m ihdm data download --settings {params.settings:q} 2>&1 | tee -i {log:q}"
