using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Grains.Site;

/// <summary>An address of a patient.</summary>
/// <param name="Record">The record.</param>
/// <param name="Account">The account that counts; null for the seed that is with the site.</param>
/// <param name="Epoch">The epoch of a payout address; null for the address that commands, which is that of every epoch.</param>
/// <param name="Index">The index in the epoch's payout tree.</param>
internal readonly record struct AddressPlace(int Record, PayoutAccount? Account, uint? Epoch, uint Index);

/// <summary>The addresses of patients whoever has the seed: of a seed that is with the site by its keys, of an account that was handed in
/// by its public key. The addresses do not tell which.</summary>
internal static class PatientAddresses
{
    /// <summary>Many addresses, several times faster than one by one; places of one record cost least beside each other.</summary>
    public static Address[] Of(SiteBook book, byte[] siteKey, IReadOnlyList<AddressPlace> places)
    {
        List<int> withKey = [], withoutKey = [];
        List<byte[]> keys = [], tweaks = [];
        List<PublicKey> accounts = [];
        (int Record, byte[] Key, byte[] ChainCode) seed = (-1, [], []);
        for (int i = 0; i < places.Count; i++)
        {
            AddressPlace place = places[i];
            if (place.Account is { } account)
            {
                withoutKey.Add(i);
                accounts.Add(account.Key);
                tweaks.Add(Tweak(account.ChainCode, book.Pseudonyms[place.Record], place));
                continue;
            }

            if (seed.Record != place.Record)
            {
                byte[] atSite = PatientKeys.SeedAtSite(siteKey, book.Records.PersonKeys[place.Record]);
                seed = (place.Record, PatientKeys.Account(atSite), PatientKeys.ChainCode(atSite));
            }

            withKey.Add(i);
            keys.Add(ChildKeys.Private(seed.Key, Tweak(seed.ChainCode, book.Pseudonyms[place.Record], place)));
        }

        Address[] addresses = new Address[places.Count];
        Place(addresses, withKey, EthereumAccount.AddressesOf(keys));
        Place(addresses, withoutKey, PayoutAccount.Addresses(accounts, tweaks));
        return addresses;
    }

    private static byte[] Tweak(ReadOnlySpan<byte> chainCode, Bytes32 pseudonym, AddressPlace place) => place.Epoch is { } epoch
        ? PatientKeys.PayoutTweak(chainCode, pseudonym, epoch, place.Index) : PatientKeys.ControllerTweak(chainCode, pseudonym);

    private static void Place(Address[] addresses, List<int> places, Address[] derived)
    {
        for (int i = 0; i < derived.Length; i++)
        {
            addresses[places[i]] = derived[i];
        }
    }
}
