/* ---
description: >-
  The base has a predicted value exactly where the verdict is `converged`, a reason exactly where it is not, and its
  interval holds the value
--- */
SELECT as_of, region, verdict, reason, predicted_value, predicted_low, predicted_high
FROM marts.customer_lifetime_value
WHERE (verdict = 'converged') <> (predicted_value IS NOT NULL)
    OR (verdict = 'converged' AND reason IS NOT NULL)
    OR (verdict <> 'converged' AND reason IS NULL)
    OR (predicted_value IS NULL AND (predicted_low IS NOT NULL OR predicted_high IS NOT NULL))
    OR predicted_low > predicted_value
    OR predicted_high < predicted_value
