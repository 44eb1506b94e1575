# The pipeline with the versions of requirements.lock. Never built: no container engine was available. A test checks its text.
#
#   docker build --tag ihdm .
#   docker run --gpus all --shm-size 2g --volume "$PWD:/work" ihdm --cores 8 --configfile /ihdm/config.yaml
#
# Results and data are written to the folder mounted at /work. PyTorch's wheels include CUDA; the host provides the driver.
FROM python:3.11-slim

WORKDIR /ihdm
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY ihdm ihdm
RUN python -m pip install --no-cache-dir --constraint requirements.lock --editable .
COPY Snakefile config.yaml environment.yml ./
COPY profiles profiles
COPY workflow workflow

# Snakemake, matplotlib and PyTorch write caches, also where --user has no home folder.
ENV XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/cache/matplotlib
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/ihdm/Snakefile"]
