"""The JobMaster waits: a job, its terms, its clients, its executors, its tasks."""
