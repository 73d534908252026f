"""A protocol, read from its config file."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .plan import Planner, data_of
from .spec import read_spec
from .stage import FRAMES, Stage, find_files

#: How to get the files of a key, where no converter writes them.
_SOURCES = dict(box_file='as docs/person_boxes.md tells')


@dataclass
class Protocol:
    """What is to be run and how it is reported.

    Attributes:
        name (str): Stem of the config file.
        title (str): Title of the report.
        work_dir (Path): Where the stages and the report go.
        stages (list[Stage]): In an order in which they can be run.
        methods (list[str]): Names, in the order of the table.
        report (dict): Attributes of a :class:`~spact_mm.protocols.ReportSettings`.
    """

    name: str
    title: str
    work_dir: Path
    stages: list[Stage]
    methods: list[str]
    report: dict = field(default_factory=dict)

    def forget_frames(self) -> None:
        """Remove the anonymized frames that attackers have shared, which take gigabytes."""
        shutil.rmtree(self.work_dir / FRAMES, ignore_errors=True)

    def find_missing(self) -> list[str]:
        """Return a sentence for each file or folder of data that is needed and does not exist."""
        users: dict[tuple[str, str], list[str]] = {}
        for stage in self.stages:
            if stage.read_result() is not None:
                continue
            for key, file in sorted(set(find_files(data_of(stage.config)))):
                if not os.path.exists(file):
                    users.setdefault((key, file), []).append(stage.id)
        return [
            f'{file} does not exist, which {len(ids)} stages need, the first being "{ids[0]}"; '
            f'write it {_SOURCES.get(key, "with the converter in tools/data/")}.'
            for (key, file), ids in users.items()
        ]


def load_protocol(
    filename: str | os.PathLike,
    work_dir: str | os.PathLike | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    folds: Sequence[int] | None = None,
    options: Mapping | None = None,
) -> Protocol:
    """Read a protocol and plan its stages.

    The config file has one dictionary, ``protocol``:

    - ``title``: of the report.
    - ``seeds``, ``folds``: lists; ``folds`` defaults to ``[None]``.
    - ``methods``: list of ``dict(name=...)`` with either ``anonymizer=dict(type=...)`` (needs no
      training), ``train=dict(config=..., options=...)`` (a minimax config; its test's ``metrics``
      are reported if named, as those of a stage) or ``checkpoint=...``
      (a minimax checkpoint, with or without ``anonymizer``). They are reported in this order.
      ``configs=dict(stage=...)`` gives a stage another config, and
      ``options=dict(stage=dict(...))`` changes it, for this method only. ``seeds=[...]``: only
      with these of the protocol's seeds.
    - ``stages``: the measurements of each method, ``name=dict(config=..., metrics=dict(...))``:

      - ``config``: a config that trains and tests, relative to this file.
      - ``options``: changes of it, as of ``--cfg-options``; ``{seed}`` and ``{fold}`` in strings
        are replaced.
      - ``metrics``: key in the report to the metric's name.
      - ``train=False``: test only.
      - ``load='privacy'``: start from the weights of that stage of the same method, seed and fold;
        ``load='raw:privacy'``: from that of the method called raw, which is run and reported then,
        whatever ``methods`` are chosen.
      - ``inverter='reconstruction'``: put the network trained by that stage behind the anonymizer.
      - ``anonymizer_options``: further arguments of the anonymizer, or other values of them, such
        as ``dict(known_noise=True)`` for a control.
      - ``slot``: the dictionary in the config that gets ``anonymizer`` and ``checkpoint``, by its
        keys with dots between them. Defaults to ``'model.data_preprocessor'``; None leaves the
        config as it is.
      - ``attacker=dict(score=..., chance=...)``: it is one of the panel, of which the report takes
        the strongest; ``score`` and ``chance`` name the metrics that tell. Its config has a
        validation split (``val_dataloader``, ``val_evaluator``), on which it is measured four times
        in its training, and by which the strongest is chosen.
      - ``skip``: methods that have no such stage. ``only``: those that have it.
      - ``seeds``: only with these of the protocol's seeds, a list, or ``{method: list}`` for some
        methods.
    - ``strength=dict(methods=[...], seeds=[...], folds=[...])``: for these (all where a list is
      absent) each attacker also trains twice as long, which tells whether the training was enough.
    - ``report``: see :class:`~spact_mm.protocols.ReportSettings`.

    A stage imports what its own config, those of the stages that it needs and the protocol's file
    name in ``custom_imports``.

    Configs are looked for relative to the protocol's file, and what it inherits from a protocol of
    this package relative to that; data, checkpoints and ``work_dir``
    relative to the current folder, as in MMEngine.

    Args:
        filename: The protocol's config file.
        work_dir: Defaults to ``work_dirs/protocols/<stem of the file>``.
        methods (Sequence[str], optional): Only these. None means all.
        seeds (Sequence[int], optional): Instead of those of the file.
        folds (Sequence[int], optional): Only these. None means all.
        options (Mapping, optional): Changes of the protocol's config, as ``--cfg-options``.

    Returns:
        Protocol: The plan.

    Raises:
        FileNotFoundError: If the file, or a config or checkpoint that it names, does not exist.
        ValueError: If it names something that is not there, has a key that nobody reads, or a stage
            would not know its anonymizer.
    """
    path = Path(filename)
    spec, imports = read_spec(path, options)
    known = [method.name for method in spec.methods]
    chosen = _choose('method', methods, known, path)
    for settings in spec.get('report', {}).get('curves', {}).values():
        _choose('method', settings, known, path)
    chosen_folds = _choose('fold', folds, list(spec.get('folds', [None])), path)
    work_dir = Path(work_dir or Path('work_dirs', 'protocols', path.stem))
    planner = Planner(path, spec, work_dir, imports)
    stages: list[Stage] = []
    for seed in dict.fromkeys(spec.seeds if seeds is None else seeds):
        for fold in chosen_folds:
            stages += planner.plan(chosen, int(seed), fold)
    # Those whose weights others start from are measured too.
    planned = [name for name in known if any(stage.method == name for stage in stages)]
    for method in planned:
        planner.check_anonymizer(method)
    return Protocol(
        path.stem, spec.get('title', path.stem), work_dir, stages, planned, spec.get('report', {})
    )


def _choose(kind: str, wanted: Sequence | None, known: Sequence, path: Path) -> list:
    unknown = [item for item in wanted or () if item not in known]
    if unknown:
        raise ValueError(
            f'{path} has no {kind} {unknown[0]!r}; choose from '
            f'{", ".join(repr(item) for item in known)}.'
        )
    return list(known if wanted is None else [item for item in known if item in wanted])
