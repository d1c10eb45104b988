import os
import random
import subprocess

PASSWORD = "hunter2-hunter2"


def listing(folder, unused=[]):
    code = subprocess.call("ls " + folder, shell=True)
    assert code == 0
    eval(folder)
    name: int = "text"
    return random.choice(os.listdir(folder)) + undefined_name


def suppressed(folder):
    subprocess.call("rm " + folder, shell=True)  # nosec  # noqa: S602
    return folder.size
