# Generative modelling with inverse heat dissipation, from images to a report.
#
#   snakemake --cores 8 --use-conda                                  the paper's experiments
#   snakemake --cores 2 --configfile workflow/config/quick.yaml      the quick scale, half an hour on a laptop
#   snakemake --cores 1 results/figures/psd.pdf                      one figure


# A scale is one complete file, never merged with another, so the default applies only without --configfile.
if not workflow.configfiles:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


rule all:
    default_target: True
    input:
        everything(),


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
