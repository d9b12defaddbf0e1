"""Objectives by request: what one would do, cancelling, listing. `push_schedules` sets one."""
