import numpy as np

from bcl_edu.data.pixel_order import content_order


def test_any_two_orders_of_the_same_images_become_one() -> None:
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (30, 3, 4, 4)).astype(np.uint8)
    labels = random.randint(0, 3, 30)
    shuffle = random.permutation(30)
    first, second = content_order(images, labels), content_order(images[shuffle], labels[shuffle])
    np.testing.assert_array_equal(images[first], images[shuffle][second])
    np.testing.assert_array_equal(labels[first], np.sort(labels))


def test_a_view_in_another_memory_order_is_ordered_alike() -> None:
    images = np.random.RandomState(0).randint(0, 256, (9, 3, 4, 4)).astype(np.uint8)
    labels = np.zeros(9, dtype=np.int64)
    strided = np.asfortranarray(images)
    np.testing.assert_array_equal(content_order(images, labels), content_order(strided, labels))
