namespace EmrMarket.Analytics.Estimation.Frequencies;

/// <summary>The frequencies of all records with their variance, from the grades' estimates.</summary>
/// <param name="Frequency">The combined estimate per value.</param>
/// <param name="Variance">Its variance per value; null when none is claimed.</param>
internal sealed record Combination(double[] Frequency, double[]? Variance)
{
    /// <summary>Combines the grades by a rule (docs/ESTIMATORS.md, "Several grades").</summary>
    public static Combination Of(IReadOnlyList<StratumEstimate> strata, CombinationRule rule, InferenceTarget target) => rule switch
    {
        CombinationRule.Stratified => Weighted(strata, Shares(strata), target),
        CombinationRule.Precision => Weighted(strata, PrecisionWeights(strata), target),
        CombinationRule.Shrunk => Shrunk(strata),
        CombinationRule.Unweighted => Unweighted(strata, target),
        _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, "Unknown combination rule."),
    };

    private static double[] Shares(IReadOnlyList<StratumEstimate> strata)
    {
        double n = strata.Sum(s => s.Tally.Records);
        return [.. strata.Select(s => s.Tally.Records / n)];
    }

    // The weights come from public quantities only, so that the estimate stays unbiased wherever the grades describe the same people.
    private static double[] PrecisionWeights(IReadOnlyList<StratumEstimate> strata)
    {
        if (strata.Any(s => s.NullVariance == 0))
        {
            throw new EstimationRefusedException(
                "The precision-weighted estimate needs randomised reports at every grade; use the stratified one.");
        }

        double[] weights = [.. strata.Select(s => s.Tally.Records / s.NullVariance)];
        double total = weights.Sum();
        return [.. weights.Select(w => w / total)];
    }

    private static Combination Weighted(IReadOnlyList<StratumEstimate> strata, double[] weights, InferenceTarget target)
    {
        int k = strata[0].Frequency.Length;
        var frequency = new double[k];
        var variance = new double[k];
        for (int h = 0; h < strata.Count; h++)
        {
            double[] stratumVariance = strata[h].Variance(target);
            for (int v = 0; v < k; v++)
            {
                frequency[v] += weights[h] * strata[h].Frequency[v];
                variance[v] += weights[h] * weights[h] * stratumVariance[v];
            }
        }

        return new Combination(frequency, variance);
    }

    /// <summary>
    /// sum (n_h/n) [B_h f_h + (1 - B_h) f_precision], B_h = tau^2 / (tau^2 + V_h/n_h), tau^2 by the method of moments (DerSimonian and
    /// Laird 1986) pooled over values.
    /// </summary>
    private static Combination Shrunk(IReadOnlyList<StratumEstimate> strata)
    {
        double[] weights = PrecisionWeights(strata);
        double[] pooled = Weighted(strata, weights, InferenceTarget.Records).Frequency;
        double[] shares = Shares(strata);
        double total = strata.Sum(s => s.Tally.Records / s.NullVariance);
        double squares = 0;
        double heterogeneity = 0;
        foreach (StratumEstimate stratum in strata)
        {
            double weight = stratum.Tally.Records / stratum.NullVariance;
            squares += weight * weight;
            heterogeneity += weight * stratum.Frequency.Zip(pooled, (f, pool) => (f - pool) * (f - pool)).Sum();
        }

        double betweenGrades = strata.Count < 2 ? 0
            : Math.Max(0, ((heterogeneity / pooled.Length) - (strata.Count - 1)) / (total - (squares / total)));
        var frequency = new double[pooled.Length];
        for (int h = 0; h < strata.Count; h++)
        {
            double shrinkage = betweenGrades / (betweenGrades + (strata[h].NullVariance / strata[h].Tally.Records));
            for (int v = 0; v < pooled.Length; v++)
            {
                frequency[v] += shares[h] * ((shrinkage * strata[h].Frequency[v]) + ((1 - shrinkage) * pooled[v]));
            }
        }

        return new Combination(frequency, null);
    }

    /// <summary>(sum C_h / n - mean q) / (mean p - mean q): right only when the grade does not depend on the value.</summary>
    private static Combination Unweighted(IReadOnlyList<StratumEstimate> strata, InferenceTarget target)
    {
        double[] shares = Shares(strata);
        double p = strata.Select((s, h) => shares[h] * s.P).Sum();
        double q = strata.Select((s, h) => shares[h] * s.Q).Sum();

        // z of the average channel is a multiple of the grade's own z up to a constant: weights n_h (p_h - q_h) / (n (p - q)).
        double[] weights = [.. strata.Select((s, h) => shares[h] * (s.P - s.Q) / (p - q))];
        return Weighted(strata, weights, target);
    }
}
