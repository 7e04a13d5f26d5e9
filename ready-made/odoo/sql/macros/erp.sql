{# What the staging steps of Odoo share. #}

{# Rows of one company, and of all companies, where `erp_company` names its number; else every row. #}
{% macro of_company(company) -%}
{%- if var('erp_company', 0) -%} coalesce({{ company }} = {{ var('erp_company', 0) }}, TRUE)
{%- else -%} TRUE {%- endif -%}
{%- endmacro %}

{# An amount in the company's currency, of which the order's rate gives `rate` units for one of the company's. #}
{% macro in_company_currency(amount, rate, currency, company_currency) -%}
CASE
        WHEN coalesce({{ currency }} = {{ company_currency }}, TRUE) THEN CAST({{ amount }} AS DECIMAL(38, 8))
        ELSE CAST(
            CAST({{ amount }} AS DECIMAL(26, 8)) / nullif(CAST({{ rate }} AS DECIMAL(24, 12)), 0) AS DECIMAL(38, 8))
    END
{%- endmacro %}
