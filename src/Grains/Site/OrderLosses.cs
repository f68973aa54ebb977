using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

/// <summary>What stands with an order when more than one file may have left for it.</summary>
internal static class OrderLosses
{
    /// <summary>
    /// An order with its own losses and another's: per record and attribute the higher grade, since a fact's loss is that of the highest
    /// grade that was ever released of it (docs/PRIVACY.md). Never less than either; an attribute that only one of them has counts.
    /// </summary>
    /// <param name="order">The order; all but its losses stays.</param>
    /// <param name="other">Whose losses are added.</param>
    public static SiteOrderRow Joined(SiteOrderRow order, SiteOrderRow other)
    {
        int[] attributes = [.. order.Attributes.Union(other.Attributes).Order()];
        Dictionary<ulong, byte[]> grades = [];
        foreach (SiteOrderRow row in (SiteOrderRow[])[order, other])
        {
            int[] places = Array.ConvertAll(row.Attributes, attribute => Array.IndexOf(attributes, attribute));
            for (int i = 0; i < row.RecordKeys.Length; i++)
            {
                if (!grades.TryGetValue(row.RecordKeys[i], out byte[]? highest))
                {
                    grades.Add(row.RecordKeys[i], highest = new byte[attributes.Length]);
                }

                for (int a = 0; a < places.Length; a++)
                {
                    highest[places[a]] = Math.Max(highest[places[a]], row.Grades[(i * places.Length) + a]);
                }
            }
        }

        return order with
        {
            Attributes = attributes, RecordKeys = [.. grades.Keys], Grades = [.. grades.Values.SelectMany(highest => highest)],
        };
    }
}
