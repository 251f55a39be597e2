"""The oldest and the newest libraries: environments of their own, tests, same numbers."""
