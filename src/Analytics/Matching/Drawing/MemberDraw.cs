namespace EmrMarket.Analytics.Matching.Drawing;

/// <summary>One record that serves a request.</summary>
/// <param name="RequestIndex">The request.</param>
/// <param name="Member">Its place in the class, in [0, n - 1].</param>
/// <param name="Lap">How many of the record's sales of this round come before, in [0, q - 1].</param>
public readonly record struct DrawnMember(int RequestIndex, int Member, int Lap);

/// <summary>
/// Decides which members of a class serve which request. The class's sales, request after request, walk round the permuted members, so no
/// request
/// meets a member twice and no member more than q requests (docs/WIRE.md, "Seed and drawing").
/// </summary>
public static class MemberDraw
{
    /// <summary>Lists the records of a class in the order of their sales. O(sales of the class).</summary>
    /// <param name="sales">All sales of one class, by rising request, each of 1 to n records.</param>
    /// <param name="permutation">Of the class's n members under the round's seed.</param>
    /// <exception cref="ArgumentException">The sales are of several classes, unsorted, or take more of the class than it has.</exception>
    public static IEnumerable<DrawnMember> Of(IReadOnlyList<Sale> sales, FeistelPermutation permutation)
    {
        ArgumentNullException.ThrowIfNull(sales);
        ArgumentNullException.ThrowIfNull(permutation);
        for (var i = 0; i < sales.Count; i++)
        {
            if (sales[i].Records < 1 || sales[i].Records > permutation.Size || sales[i].ClassIndex != sales[0].ClassIndex
                || (i > 0 && sales[i].RequestIndex <= sales[i - 1].RequestIndex))
            {
                throw new ArgumentException(
                    $"{sales[i]} does not follow: expected sales of class {sales[0].ClassIndex} by rising request, 1 to "
                    + $"{permutation.Size} records each.", nameof(sales));
            }
        }

        return Walk(sales, permutation);
    }

    private static IEnumerable<DrawnMember> Walk(IReadOnlyList<Sale> sales, FeistelPermutation permutation)
    {
        long turn = 0;
        foreach (var sale in sales)
        {
            for (var k = 0; k < sale.Records; k++, turn++)
            {
                var (lap, place) = Math.DivRem(turn, permutation.Size);
                yield return new DrawnMember(sale.RequestIndex, permutation[(int)place], (int)lap);
            }
        }
    }
}
