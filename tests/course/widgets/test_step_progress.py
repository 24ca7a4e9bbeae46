from bcl_edu.course.widgets.step_progress import StepProgress


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_time_left_counts_only_what_this_stretch_has_done() -> None:
    clock = Clock()
    progress = StepProgress(total=110, done=100, clock=clock)
    clock.seconds = 8.0
    progress.update(2, epoch=3, loss=1.25)
    assert progress.text.startswith("step 102 of 110, epoch 3, loss 1.250")
    assert progress.text.endswith(" 32 s left")


def test_it_is_not_redrawn_more_often_than_a_reader_follows_but_shows_the_end() -> None:
    clock = Clock()
    progress = StepProgress(total=4, done=0, clock=clock)
    texts = []
    for _ in range(4):
        clock.seconds += 0.1
        progress.update(1, epoch=1, loss=1.0)
        texts.append(progress.text.split(",")[0])
    assert texts == ["step 1 of 4", "step 1 of 4", "step 1 of 4", "step 4 of 4"]
    assert "left" not in progress.text


def test_where_it_stopped_stays_on_the_bar() -> None:
    clock = Clock()
    progress = StepProgress(total=10, done=0, clock=clock)
    for _ in range(3):
        progress.update(1, epoch=1, loss=1.0)  # shown once: the clock stands still
    progress.close()
    assert progress.box.children[0].value == 3


def test_of_a_finished_run_no_step_is_said_to_be_under_way() -> None:
    assert StepProgress(total=1200, done=1200).text == "all 1,200 steps are taken"
