using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Grains.Exchange;

namespace EmrMarket.Grains.Site;

/// <summary>
/// Where the records of a book stood last in a site's final epochs, and at which published grades. Whoever was left out of the newest
/// epoch stood in an earlier one all the same, and their next leaf has to point there: the contract voids an epoch whose members leave out
/// their past (<c>challengeHistory</c>).
/// </summary>
internal sealed class EpochPast
{
    private readonly Dictionary<int, Place> _places = [];

    /// <summary>A record's place in an epoch.</summary>
    /// <param name="Epoch">The epoch.</param>
    /// <param name="Position">The member's position in it.</param>
    /// <param name="HighWater">The grades that its class published as released.</param>
    public readonly record struct Place(uint Epoch, uint Position, AttributeGrades HighWater);

    /// <summary>How many records have a place.</summary>
    public int Count => _places.Count;

    /// <summary>A past of one epoch alone.</summary>
    public static EpochPast Of(SiteBook book, EpochFile epoch)
    {
        EpochPast past = new();
        past.AddEarlier(book, epoch);
        return past;
    }

    /// <summary>Adds an epoch before all that were added: whoever has a place keeps it.</summary>
    public void AddEarlier(SiteBook book, EpochFile epoch)
    {
        AttributeGrades[] highWater = [.. epoch.Classes.Select(leaf => leaf.HighWater.ToGrades())];
        for (int position = 0; position < epoch.Members.Length; position++)
        {
            MemberLeaf member = epoch.Members[position];
            int record = book.RecordOf(member.Pseudonym);
            if (record >= 0)
            {
                _places.TryAdd(record, new Place(epoch.Epoch, (uint)position, highWater[member.LocalClass]));
            }
        }
    }

    /// <summary>The place of a record; null for one that was never published.</summary>
    public Place? Find(int record) => _places.TryGetValue(record, out Place place) ? place : null;
}
