/* ---
description: Expansion is never negative and contraction never positive
--- */
SELECT period, effect, amount
FROM marts.revenue_bridge
WHERE (effect = 'expansion' AND amount < 0) OR (effect = 'contraction' AND amount > 0)
