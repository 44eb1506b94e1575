# What the held-out errors of a network say: loss at each level, likelihood, its cost and its best δ.


rule metrics_levels:
    input:
        errors=f"{RESULTS}/metrics/errors/{{experiment}}.npz",
    output:
        table=f"{RESULTS}/metrics/levels/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/levels/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/levels/{{experiment}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics levels"),
        settings=lambda wildcards: VARIANTS[wildcards.experiment].experiment.process.model_dump_json(),
    shell:
        "python -m ihdm --threads {threads} metrics levels --settings {params.settings:q} --errors {input.errors:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"


rule metrics_likelihood:
    input:
        errors=errors_of,
        train=data_of("train"),
        test=data_of("test"),
    output:
        table=f"{RESULTS}/metrics/likelihood/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/likelihood/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/likelihood/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/likelihood/{{experiment}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
    params:
        code=code_sha256("metrics likelihood"),
        settings=lambda wildcards: settings.likelihood(wildcards.experiment).model_dump_json(),
    shell:
        "python -m ihdm --threads {threads} metrics likelihood --settings {params.settings:q} --errors {input.errors:q} "
        "--train {input.train:q} --test {input.test:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"


# What network evaluations buy, at the first δ of the bound.
rule metrics_likelihood_cost:
    input:
        errors=errors_of,
    output:
        table=f"{RESULTS}/metrics/likelihood_cost/{{experiment}}.csv",
        meta=f"{RESULTS}/metrics/likelihood_cost/{{experiment}}.meta.json",
    log:
        f"{RESULTS}/logs/metrics/likelihood_cost/{{experiment}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_sha256("metrics likelihood-cost"),
        settings=lambda wildcards: settings.likelihood(wildcards.experiment).model_dump_json(),
    shell:
        "python -m ihdm --threads {threads} metrics likelihood-cost --settings {params.settings:q} --errors {input.errors:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"


rule metrics_minimum_likelihood:
    input:
        errors=errors_of,
        train=data_of("train"),
        test=data_of("test"),
    output:
        table=f"{RESULTS}/metrics/minimum/{{experiment}}/likelihood.csv",
        curve=f"{RESULTS}/metrics/minimum/{{experiment}}/likelihood_curve.csv",
        meta=f"{RESULTS}/metrics/minimum/{{experiment}}/likelihood.meta.json",
    log:
        f"{RESULTS}/logs/metrics/minimum/{{experiment}}/likelihood.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=rising(8000),
    params:
        code=code_sha256("metrics likelihood-minimum"),
        settings=lambda wildcards: settings.likelihood(wildcards.experiment).model_dump_json(),
        resamples=settings.evaluation.num_resamples,
    shell:
        "python -m ihdm --threads {threads} metrics likelihood-minimum --settings {params.settings:q} --errors {input.errors:q} "
        "--train {input.train:q} --test {input.test:q} --resamples {params.resamples} --curve {output.curve:q} "
        "--label experiment={wildcards.experiment} --output {output.table:q} > {log:q} 2>&1"
