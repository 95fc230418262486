import pytest

PARTS = ["failed", "lost", "running", "queued", "blocked", "waiting", "finished", "cancelled"]


@pytest.mark.parametrize(
    "model",
    [
        *[f"{part}task" for part in PARTS],
        "task",
        "tasksummary",
        "group",
        "scheduleentry",
        "worker",
        "scheduleentry/add",
    ],
)
def test_every_page_shows_nothing_where_there_is_nothing(kit, browse, model):
    answer = browse(model)
    assert answer.status_code == 200, answer.content.decode()
