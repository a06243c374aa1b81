"""Learning, pricing, deciding, explaining: everything between a feature matrix and a decision.

No module here touches disk or network, except ``bundle`` (a model's folder of plain files) and ``registry`` (MLflow).
"""
