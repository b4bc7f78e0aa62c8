"""What is kept: tasks, tool versions, records, executions, costs."""
