"""What each data set's folder has in it: shown by `check` where something is missing, and in data/README.md."""

TREES = {
    "digits": "nothing: they come with scikit-learn",
    "fashion-mnist": """\
data/fashion-mnist/
    train-images-idx3-ubyte.gz    8d4fb7e6c68d591d4c3dfef9ec88bf0d
    train-labels-idx1-ubyte.gz    25c81989df183df01b3e8a0aad5dffbe
    t10k-images-idx3-ubyte.gz     bef4ecab320f06d8554ea6380940ec79
    t10k-labels-idx1-ubyte.gz     bb300cfdad3c16e7a12a480ee83cd310""",
    "cifar10": """\
data/cifar10/cifar-10-binary.tar.gz      c32a1d4ab5d03f1284b67883e8d87530    (162 MB)
data/cifar10/cifar-10-batches-bin/       data_batch_1.bin … data_batch_5.bin, test_batch.bin
data/cifar10/train/airplane/*    …    data/cifar10/test/truck/*""",
    "cifar100": """\
data/cifar100/cifar-100-binary.tar.gz    03b5dce01913d631647c71ecec9e9cb8    (161 MB)
data/cifar100/cifar-100-binary/          train.bin, test.bin
data/cifar100/train/apple/*      …    data/cifar100/test/worm/*""",
    "folder": """\
data/folder/
    train/<class>/<any name>    test/<class>/<any name>""",
    "imagenet-lt": """\
data/imagenet-lt/
    ImageNet_LT_train.txt    ImageNet_LT_test.txt
    train/n01440764/n01440764_10026.JPEG    …    train/n15075141/*.JPEG
    val/n01440764/ILSVRC2012_val_00000293.JPEG    …    or    val/ILSVRC2012_val_00000293.JPEG    …""",
    "inaturalist2018": """\
data/inaturalist2018/
    train2018.json    val2018.json    (or .json.tar.gz, or iNaturalist18_train.txt and iNaturalist18_val.txt)
    train_val2018/Plantae/7291/*.jpg    …    train_val2018/Insecta/673/*.jpg    …""",
}
