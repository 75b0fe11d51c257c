module budgetd

go 1.19
