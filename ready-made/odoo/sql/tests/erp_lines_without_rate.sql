/* ---
description: Orders in another currency without a rate of exchange; the revenue of their lines counts nowhere
severity: warn
--- */
SELECT orders.id AS order_id, currencies.name AS currency, orders.amount_untaxed AS amount
FROM {{ source('erp', 'orders') }} AS orders
JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = orders.company_id
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = orders.currency_id
WHERE orders.state NOT IN ('draft', 'sent', 'cancel') AND {{ of_company('orders.company_id') }}
    AND orders.currency_id <> companies.currency_id AND coalesce(orders.currency_rate, 0) = 0
    AND {{ local_date('orders.date_order') }} < DATE '{{ as_of }}'
