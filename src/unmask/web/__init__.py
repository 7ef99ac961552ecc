"""The scan behind a page and a REST API: uploads, a queue of jobs, history, retention.

Needs `unmask[web]`. Three kinds of process: one that answers requests and never decodes anything, one that
hands out jobs and keeps their states, and workers, which do the work under limits and may die at any time.
"""
