import pickle

import numpy as np
import pytest

from cnnlab import data
from cnnlab.data import PCA, ChannelMean, MeanImage, Standardize, Whiten
from cnnlab.data.preprocess import moments, principal
from cnnlab.shapes import ShapeError

KINDS = [ChannelMean, MeanImage, Standardize, PCA, Whiten]


def some_images(count=40, shape=(4, 5, 3), seed=0):
    """Images whose pixels go along with each other, as those of real images do."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, np.prod(shape))) @ rng.normal(size=(np.prod(shape),) * 2)
    return (128 + 8 * mixed).clip(0, 255).astype(np.uint8).reshape(count, *shape)


class InFiles:
    """Stands for images in files: knows its shape, and is read when it is used."""

    def __init__(self, images, read):
        self.images, self.read = images, read
        self.shape, self.ndim, self.dtype = images.shape, images.ndim, images.dtype

    def __len__(self):
        return len(self.images)

    def __getitem__(self, part):
        return InFiles(self.images[part], self.read)

    def __array__(self, dtype=None, copy=None):
        self.read.append(len(self.images))
        return np.array(self.images, dtype)


# Each one


def test_channel_mean_centers_each_channel():
    images = some_images()
    preprocess = ChannelMean.fit(images)
    np.testing.assert_allclose(preprocess.mean, images.mean(axis=(0, 1, 2)), rtol=1e-12)
    assert preprocess == ChannelMean(preprocess.mean)
    np.testing.assert_allclose(preprocess(images), images - np.array(preprocess.mean), atol=1e-4)


def test_mean_image_centers_each_pixel():
    images = some_images()
    preprocess = MeanImage.fit(images)
    np.testing.assert_allclose(preprocess.mean, images.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(preprocess(images), images - images.mean(axis=0), atol=1e-4)
    assert repr(preprocess) == "MeanImage(4×5×3)"


def test_standardize_centers_and_scales_each_channel():
    rng = np.random.default_rng(0)
    images = np.stack(
        [rng.integers(0, 50, (20, 6, 7)), rng.integers(100, 250, (20, 6, 7))], axis=3
    ).astype(np.uint8)
    out = Standardize.fit(images)(images)
    np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_standardize_uses_the_statistics_of_what_it_was_fitted_to():
    preprocess = Standardize.fit(np.array([0, 20], np.uint8).reshape(2, 1, 1, 1))
    assert preprocess == Standardize((10.0,), (10.0,))
    other = np.array([10, 30], np.uint8).reshape(2, 1, 1, 1)
    assert preprocess(other).ravel().tolist() == [0.0, 2.0]


def test_a_channel_that_hardly_varies_is_scaled_and_one_that_does_not_is_refused():
    images = np.full((500, 8, 8, 2), 201, np.uint8)
    images[..., 0] = some_images(500, (8, 8))
    with pytest.raises(ValueError, match=r"got 201 in every pixel of channel 1"):
        Standardize.fit(images)
    images[7, 3, 3, 1] = 200
    assert Standardize.fit(images).std[1] == pytest.approx(images[..., 1].std(), rel=1e-6)


def test_pca_finds_the_singular_vectors():
    images = some_images()
    preprocess = PCA.fit(images)
    flat = images.reshape(40, 60).astype(float)
    _, singular, vectors = np.linalg.svd(flat - flat.mean(axis=0))
    assert preprocess.components.shape == (4, 5, 3, 60)
    # 40 images vary in 39 directions.
    np.testing.assert_allclose(preprocess.variances[:39], singular[:39] ** 2 / 40, rtol=1e-6)
    np.testing.assert_allclose(preprocess.variances[39:], 0, atol=1e-8)
    found = preprocess.components.reshape(60, 60)[:, :39]
    np.testing.assert_allclose(np.abs((vectors[:39] * found.T).sum(axis=1)), 1, rtol=1e-5)


def test_pca_makes_numbers_that_are_uncorrelated_and_fall():
    images = some_images(200, (3, 4, 1))
    out = PCA.fit(images)(images)
    assert out.shape == (200, 1, 1, 12)
    covariance = np.cov(out.reshape(200, 12).T, bias=True)
    assert (np.diff(np.diag(covariance)) < 0).all()
    np.testing.assert_allclose(covariance, np.diag(PCA.fit(images).variances), atol=0.02)


def test_pca_changes_no_distance():
    images = some_images(20, (3, 4, 1))
    out = PCA.fit(images)(images).reshape(20, 12)
    apart = np.linalg.norm(images[:10].reshape(10, 12) - images[10:].reshape(10, 12) * 1.0, axis=1)
    np.testing.assert_allclose(np.linalg.norm(out[:10] - out[10:], axis=1), apart, rtol=1e-5)


def test_a_pca_of_few_components_is_the_beginning_of_all():
    images = some_images()
    few, all_of_them = PCA.fit(images, components=7), PCA.fit(images)
    np.testing.assert_allclose(few(images), all_of_them(images)[..., :7], rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(few.variances, all_of_them.variances[:7])
    assert repr(few) == "PCA(4×5×3, 7 of 60 components)"


def test_pca_brings_back_what_lies_in_its_components():
    images = some_images(200, (3, 4, 1))
    preprocess = PCA.fit(images, components=5)
    back = preprocess.inverse(preprocess(images))
    lost = ((images - back) ** 2).sum() / 200
    assert lost == pytest.approx(PCA.fit(images).variances[5:].sum(), rel=1e-4)
    # What is lost is perpendicular to what is kept: no other image of these components is nearer.
    left = (images - back).reshape(200, 12) @ preprocess.components.reshape(12, 5)
    np.testing.assert_allclose(left, 0, atol=1e-2)


def test_each_direction_has_its_largest_number_positive():
    for seed in range(3):
        _, variances, vectors = principal(some_images(50, seed=seed), axes=3)
        assert (np.diff(variances) <= 0).all()
        assert (variances >= 0).all(), "also where there are more directions than images"
        assert (vectors.max(axis=0) == np.abs(vectors).max(axis=0)).all()


@pytest.mark.parametrize("zca", [False, True], ids=["pca", "zca"])
def test_whitened_numbers_are_uncorrelated_and_vary_by_1(zca):
    images = some_images(200, (3, 4, 1))
    out = Whiten.fit(images, eps=0, zca=zca)(images)
    assert out.shape == ((200, 3, 4, 1) if zca else (200, 1, 1, 12))
    covariance = np.cov(out.reshape(200, 12).T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(12), atol=1e-3)


def test_eps_holds_back_what_hardly_varies():
    images = some_images(200, (3, 4, 1))
    variances = PCA.fit(images).variances
    out = Whiten.fit(images, eps=50)(images)
    found = out.reshape(200, 12).var(axis=0)
    np.testing.assert_allclose(found, variances / (variances + 50), rtol=1e-3)


def test_zca_is_the_symmetric_root_of_the_inverse_covariance():
    images = some_images(200, (3, 4, 1))
    flat = images.reshape(200, 12).astype(float)
    out = Whiten.fit(images, eps=0, zca=True)(images).reshape(200, 12)
    matrix = np.linalg.pinv(flat - flat.mean(axis=0)) @ out
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    # Its square undoes the covariance.
    np.testing.assert_allclose(matrix @ matrix @ np.cov(flat.T, bias=True), np.eye(12), atol=1e-3)


def test_whiten_refuses_to_scale_what_does_not_vary():
    for seed in range(5):
        images = some_images(200, (3, 4, 1), seed)
        # Their difference is 0, and its variance anything near it.
        images[:, 0, 0] = images[:, 1, 1]
        with pytest.raises(ValueError, match=r"greater than 0 where a component does not.* got 0"):
            Whiten.fit(images, eps=0)
    assert np.isfinite(Whiten.fit(images)(images)).all()
    with pytest.raises(ValueError, match=r"eps must be.* at least 0, got -1"):
        Whiten.fit(images, eps=-1)


def test_whiten_can_use_some_of_the_components():
    images = some_images(200, (3, 4, 1))
    few = PCA.fit(images, components=5)
    assert Whiten(few, eps=0)(images).shape == (200, 1, 1, 5)
    back = Whiten(few, zca=True).inverse(Whiten(few, zca=True)(images))
    np.testing.assert_allclose(back, few.inverse(few(images)), atol=0.01)


# What all have in common


@pytest.mark.parametrize("kind", [*KINDS, lambda: None], ids=lambda kind: kind.__name__)
def test_every_inverse_brings_the_images_back(kind):
    train, test = some_images(), some_images(seed=1)
    fitted = Whiten.fit(train, zca=True) if kind not in KINDS else kind.fit(train)
    out = fitted(test)
    assert out.dtype == np.float32
    back = fitted.inverse(out)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, test, atol=0.01)
    same = fitted.inverse(out.astype(np.float64))
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, back)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_measured_does_not_depend_on_what_it_is_used_for(kind):
    train, test = some_images(), some_images(seed=1)
    fitted = kind.fit(train)
    together = fitted(np.concatenate([test, train]))
    np.testing.assert_allclose(fitted(test[:2]), together[:2], atol=1e-3)
    assert len(fitted(test[:0])) == 0
    assert test.tobytes() == some_images(seed=1).tobytes(), "the images are left as they were"


@pytest.mark.parametrize("kind", KINDS)
def test_images_in_files_are_read_a_few_at_a_time(kind):
    images = some_images(300_000, (3, 3, 2))
    read = []
    fitted = kind.fit(InFiles(images, read))
    assert sum(read) == len(images), "each is read once"
    assert max(read) * 18 <= 2**22
    few = InFiles(images[:5], read)
    np.testing.assert_array_equal(fitted(few), kind.fit(images)(images[:5]))


def test_moments_are_those_of_all_images_together():
    images = some_images(300_000, (3, 3, 2))
    for axes, width in ((1, 2), (3, 18)):
        mean, covariance = moments(images, axes=axes)
        rows = images.reshape(-1, width)
        np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(covariance, np.cov(rows.T, bias=True), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_one_can_be_sent_to_another_process(kind):
    images = some_images()
    fitted = kind.fit(images)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted))(images), fitted(images))


@pytest.mark.parametrize("kind", KINDS)
def test_every_one_says_what_is_wrong_with_images(kind):
    images = some_images()
    preprocess = kind.fit(images)
    with pytest.raises(TypeError, match=r"uint8.*got float32: were they preprocessed before"):
        preprocess(images.astype(np.float32))
    with pytest.raises(TypeError, match=r"got float32"):
        kind.fit(images.astype(np.float32))
    with pytest.raises(ShapeError, match=r"must (have 3 channels|be 4×5×3), as those that were"):
        preprocess(images[..., :1])
    with pytest.raises(ShapeError, match=r"4 axes \(N, H, W, C\), got 3"):
        preprocess(images[0])
    with pytest.raises(ShapeError, match=r"4 axes \(N, H, W, C\), got 3"):
        kind.fit(images[0])
    with pytest.raises(ShapeError, match=r"no pixels.*got shape \(0, 4, 5, 3\)"):
        kind.fit(images[:0])
    with pytest.raises(TypeError, match=r"x must hold floating-point numbers, got uint8"):
        preprocess.inverse(images)
    with pytest.raises(ShapeError, match=r"x must (have|be) .*got shape \(2, 4, 5, 2\)"):
        preprocess.inverse(np.zeros((2, 4, 5, 2), np.float32))


@pytest.mark.parametrize("kind", [MeanImage, PCA, Whiten])
def test_those_with_a_number_per_pixel_fit_one_size_only(kind):
    images = some_images()
    with pytest.raises(ShapeError, match=r"must be 4×5×3.*got shape \(40, 4, 4, 3\)"):
        kind.fit(images)(images[:, :, 1:])


@pytest.mark.parametrize("components", [0, 61, 2.0, True])
def test_pca_says_how_many_components_there_are(components):
    with pytest.raises(ValueError, match=rf"components must be .* got {components}"):
        PCA.fit(some_images(), components=components)


def test_a_cloud_of_two_neighboring_pixels_shows_what_whitening_does():
    train, _ = data.load("fashion-mnist-small")
    cloud = train.images[:, 20:21, 13:15]

    def spread(preprocess):
        return np.cov(preprocess(cloud).reshape(-1, 2).T, bias=True)

    assert spread(MeanImage.fit(cloud))[0, 1] > 5000, "they go together"
    turned = spread(PCA.fit(cloud))
    assert abs(turned[0, 1]) < 1 < 10 * turned[1, 1] < turned[0, 0]
    np.testing.assert_allclose(spread(Whiten.fit(cloud, eps=0)), np.eye(2), atol=1e-4)
