"""When a process that died is started again."""

from storemon_pipeline.service.restart_policy import RestartPolicy


def test_delays_double_and_the_fifth_failure_within_two_minutes_is_the_end() -> None:
    policy = RestartPolicy()
    delays = [policy.delay_after_death(now, ready_seconds=1.0) for now in (0, 2, 5, 9, 20)]
    assert delays == [0.5, 1.0, 2.0, 4.0, None]


def test_failures_further_apart_than_the_window_wait_longer_and_longer() -> None:
    policy = RestartPolicy()
    delays = [policy.delay_after_death(40.0 * n, ready_seconds=0.0) for n in range(9)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_part_that_ran_well_for_a_while_has_its_restarts_forgotten() -> None:
    policy = RestartPolicy()
    for now in (0, 1, 2, 3):
        policy.delay_after_death(now, ready_seconds=0.0)
    assert policy.delay_after_death(19, ready_seconds=15.0) == 0.5
    assert policy.delay_after_death(20, ready_seconds=0.0) == 1.0
