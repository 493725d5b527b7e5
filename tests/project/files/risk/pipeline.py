"""The user's own code: nothing of Everloop in it."""

FEATURES = {"income": int, "debt": int, "employed_months": int, "utilisation": float, "inquiries_6m": int, "home": str, "purpose": str}


def fit(rows):
    """Own training: rows.X is the pandas frame, rows.y the truth, rows.weights the weights; gives back anything with predict_proba."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    one_hot = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["home", "purpose"]), remainder="passthrough")
    return make_pipeline(one_hot, LogisticRegression(max_iter=500)).fit(rows.X, rows.y)
