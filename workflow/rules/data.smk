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
    conda:
        "../../environment.yml"
    params:
        settings=lambda wildcards: settings.datasets[wildcards.dataset].model_dump_json(),
        folder=subpath(output.train, parent=True),
    shell:
        "python -m ihdm --threads {threads} data prepare --settings {params.settings:q} --output {params.folder:q} > {log:q} 2>&1"
