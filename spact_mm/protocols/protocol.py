"""A protocol, read from its config file."""

import os
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .plan import Planner, data_of
from .schedule import find_waiting
from .spec import read_spec
from .stage import FRAMES, Stage, find_files

#: Source of the files of a key, if no converter writes them.
_SOURCES = dict(box_file='as docs/person_boxes.md tells')


@dataclass
class Protocol:
    """The stages of a protocol and the settings of its report.

    Attributes:
        name (str): Stem of the config file.
        title (str): Title of the report.
        work_dir (Path): Folder of the stages and the report.
        stages (list[Stage]): Stages in an order in which they can be run.
        methods (list[str]): Names of the methods, in the order of the table.
        report (dict): Attributes of a :class:`~spact_mm.protocols.ReportSettings`.
    """

    name: str
    title: str
    work_dir: Path
    stages: list[Stage]
    methods: list[str]
    report: dict = field(default_factory=dict)

    def forget_frames(self) -> None:
        """Remove the anonymized frames that attackers share, which take gigabytes."""
        shutil.rmtree(self.work_dir / FRAMES, ignore_errors=True)

    def find_missing(self, known: Container[Stage] = ()) -> list[str]:
        """Return a sentence for each needed file or folder of data that does not exist.

        Args:
            known (Container[Stage]): Stages that will take the result of an earlier run.

        Returns:
            list[str]: Sentences; none if all data are there.
        """
        users: dict[tuple[str, str], list[str]] = {}
        waiting = set(find_waiting(self.stages, known))
        for stage in (stage for stage in self.stages if stage in waiting):
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

    - ``title``: title of the report.
    - ``seeds``, ``folds``: lists; ``folds`` defaults to ``[None]``.
    - ``methods``: list of ``dict(name=...)`` with either ``anonymizer=dict(type=...)`` (needs no
      training), ``train=dict(config=..., options=...)`` (a minimax config; ``metrics`` of its test
      are reported if named, as for a stage) or ``checkpoint=...`` (a minimax checkpoint, with or
      without ``anonymizer``). Methods are reported in this order. ``configs=dict(stage=...)`` gives
      a stage another config, and ``options=dict(stage=dict(...))`` changes it, for this method
      only. ``seeds=[...]`` restricts a method to some of the protocol's seeds.
    - ``stages``: the measurements of each method, ``name=dict(config=..., metrics=dict(...))``:

      - ``config``: a config that trains and tests, relative to this file.
      - ``options``: changes of the config and its variables, as by ``--cfg-options``; ``{seed}``
        and ``{fold}`` in strings are replaced.
      - ``metrics``: names of metrics, by their keys in the report.
      - ``train=False``: test only.
      - ``load='privacy'``: start from the weights of that stage of the same method, seed and fold;
        ``load='raw:privacy'``: start from the weights of that stage of the method ``raw``, which is
        then always run and reported, also if other ``methods`` are chosen.
      - ``renderer='renderer'``, ``inverter='reconstruction'``: put the network trained by that
        stage behind the anonymizer; of both, the renderer comes first.
      - ``anonymizer_options``: further or changed arguments of the anonymizer, such as
        ``dict(known_noise=True)`` for a control.
      - ``slot``: the dictionary in the config that gets ``anonymizer`` and ``checkpoint``, as keys
        joined by dots. Defaults to ``'model.data_preprocessor'``; None leaves the config unchanged.
      - ``attacker=dict(score=..., chance=...)``: the stage is an attacker of the panel, of which
        the report shows the strongest; ``score`` and ``chance`` name its metrics. Its config has a
        validation split (``val_dataloader``, ``val_evaluator``). The attacker is measured on this
        split four times during its training, and the strongest is chosen by it.
      - ``skip``: methods without this stage. ``only``: methods with this stage.
      - ``seeds``: restriction to some of the protocol's seeds, a list, or ``{method: list}`` for
        some methods.
    - ``strength=dict(methods=[...], seeds=[...], folds=[...])``: for these (all if a list is
      absent) each attacker also trains twice as long, to check whether the training is long enough.
    - ``report``: see :class:`~spact_mm.protocols.ReportSettings`.

    A stage imports the ``custom_imports`` of its own config, of the configs of the stages that it
    needs, and of the protocol's file.

    Paths of configs are relative to the protocol's file; paths inherited from a protocol of this
    package are relative to that protocol's file. Data, checkpoints and ``work_dir`` are relative to
    the current folder, as in MMEngine.

    Args:
        filename: The protocol's config file.
        work_dir: Defaults to ``work_dirs/protocols/<stem of the file>``.
        methods (Sequence[str], optional): Methods to run. None means all.
        seeds (Sequence[int], optional): Seeds instead of those of the file.
        folds (Sequence[int], optional): Folds to run. None means all.
        options (Mapping, optional): Changes of the protocol's config, as by ``--cfg-options``.

    Returns:
        Protocol: The plan.

    Raises:
        FileNotFoundError: If the file, or a config or checkpoint that it names, does not exist.
        ValueError: If the file names something that does not exist, has an unknown key, or if a
            stage would not know its anonymizer.
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
    # Methods whose weights are the start of others are measured too.
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
