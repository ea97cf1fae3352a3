"""pytest --cnnlab NOTEBOOK: grade a learner's notebook with nbval.

nbval collects the cells, runs the kernel and reads the messages. What differs is here:
the notebook that runs is the pristine one with the learner's answers grafted in, a check
cell is compared by its numbers and not by its text, and a kernel that dies or hangs costs
its own question only.
"""


def pytest_addoption(parser):
    group = parser.getgroup("cnnlab", "grading notebooks of the course")
    group.addoption("--cnnlab", action="store_true", help="Grade the given notebooks.")
    group.addoption("--cnnlab-paper", help="What the notebook answers, where it does not say so.")
    group.addoption("--cnnlab-seed", type=int, help="Seed of the checks; fresh by default.")
    group.addoption("--cnnlab-timeout", type=float, default=30.0, help="Seconds for each cell.")
    group.addoption("--cnnlab-isolation", default="auto", help="auto, bwrap, container or none.")
    group.addoption("--cnnlab-records", help="Write one JSON line for each question to this file.")


def pytest_configure(config):
    if config.option.cnnlab:
        # nbval's own flag would collect the same file again, ungrafted.
        config.option.nbval = config.option.nbval_lax = False


def pytest_collect_file(file_path, parent):
    named = parent.session.isinitpath(file_path)  # a notebook by any other name is graded too
    if parent.config.option.cnnlab and (named or file_path.suffix == ".ipynb"):
        from cnnlab.grading.session import GradedNotebook

        return GradedNotebook.from_parent(parent, path=file_path)
    return None
